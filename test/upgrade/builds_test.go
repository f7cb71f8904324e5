package upgrade

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is the root of the source.
const repository = "../.."

// What tells by whom a Deployment was rendered: the newer operator gives containers this
// variable, and counts pods as available after so many seconds.
const (
	newerVariable = "STRATA_RENDERED_BY"
	olderReady    = 2
	newerReady    = 1
)

// change is a line of the source, below the root, that is another one in the newer operator.
type change struct{ file, from, to string }

// newerSource is in what the newer operator differs: in what it renders of every kind that
// releases own, and in what holds where nothing is said.
var newerSource = []change{
	{"controllers/resources/render.go", `{Name: v1alpha1.EnvRelease, Value: rel.Name},`, `{Name: v1alpha1.EnvRelease, Value: rel.Name}, {Name: "` + newerVariable + `", Value: "newer"},`},
	{"controllers/resources/render.go", "minReadySeconds = 2\n", fmt.Sprintf("minReadySeconds = %d\n", newerReady)},
	{"controllers/resources/render.go", "podProgressSeconds = 600\n", "podProgressSeconds = 900\n"},
	{"controllers/resources/render.go", "defaultTestSeconds = 600\n", "defaultTestSeconds = 300\n"},
	{"controllers/resources/render.go", "defaultUtilization = 80\n", "defaultUtilization = 70\n"},
	{"controllers/resources/render.go", "RevisionHistoryLimit:    ptr.To[int32](0),", "RevisionHistoryLimit:    ptr.To[int32](3),"},
	{"controllers/resources/render.go", `MaxSurge:       ptr.To(intstr.FromString("25%")),`, `MaxSurge:       ptr.To(intstr.FromString("50%")),`},
	{"controllers/resources/render.go", "template.Spec.EnableServiceLinks = ptr.To(false)", "template.Spec.EnableServiceLinks = ptr.To(true)"},
	{"controllers/resources/render.go", "Type:     corev1.ServiceTypeClusterIP,", "Type:     corev1.ServiceTypeClusterIP,\n\t\tPublishNotReadyAddresses: true,"},
	{"controllers/resources/render.go", "MinAvailable:   component.Disruption.MinAvailable,", "MinAvailable:   component.Disruption.MinAvailable,\n\t\tUnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),"},
	{"controllers/resources/labels.go", "labels[v1alpha1.LabelComponent] = component\n", "labels[v1alpha1.LabelComponent] = component\n\tlabels[\"example.com/rendered-by\"] = \"newer\"\n"},
	{"controllers/rollout/settings.go", "DefaultProgressDeadline = 600 *", "DefaultProgressDeadline = 500 *"},
	{"controllers/rollout/settings.go", "DefaultFailure          = 60 *", "DefaultFailure          = 45 *"},
	{"controllers/rollout/settings.go", "DefaultBake             = 0 *", "DefaultBake             = 1 *"},
	{"controllers/rollout/settings.go", "DefaultDrain            = 30 *", "DefaultDrain            = 20 *"},
	{"controllers/rollout/settings.go", "DefaultTestDeadline     = 600 *", "DefaultTestDeadline     = 300 *"},
	{"controllers/rollout/settings.go", "DefaultRecords          = 500\n", "DefaultRecords          = 400\n"},
}

// buildOperators builds both into a directory.
func buildOperators(ctx context.Context, scratch string) (older, newer string, err error) {
	overlay, err := writeOverlay(scratch)
	if err != nil {
		return "", "", err
	}
	older, newer = filepath.Join(scratch, "older"), filepath.Join(scratch, "newer")
	for _, arguments := range [][]string{{"-o", older}, {"-o", newer, "-overlay", overlay}} {
		build := exec.CommandContext(ctx, "go", append(append([]string{"build", "-ldflags=-w"}, arguments...), "./cmd/manager")...)
		build.Dir = repository
		if said, err := build.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("build an operator: %w: %s", err, said)
		}
	}
	return older, newer, nil
}

// writeOverlay writes the changed files, and what tells the compiler of them. A change whose
// line is not there any more is an error: it would change nothing.
func writeOverlay(scratch string) (string, error) {
	root, err := filepath.Abs(repository)
	if err != nil {
		return "", err
	}
	changed, replace := map[string]string{}, map[string]string{}
	for _, c := range newerSource {
		file := filepath.Join(root, c.file)
		if changed[file] == "" {
			source, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("read the source: %w", err)
			}
			changed[file] = string(source)
		}
		if n := strings.Count(changed[file], c.from); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, want once: correct newerSource", c.file, c.from, n)
		}
		changed[file] = strings.Replace(changed[file], c.from, c.to, 1)
	}
	for file, source := range changed {
		replace[file] = filepath.Join(scratch, strings.ReplaceAll(strings.TrimPrefix(file, root+"/"), "/", "-"))
		if err := os.WriteFile(replace[file], []byte(source), 0o600); err != nil {
			return "", fmt.Errorf("write a changed source: %w", err)
		}
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(scratch, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o600)
}
