package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/strata-release/strata/test/variant"
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
	var differs variant.Source
	for _, c := range newerSource {
		differs.Lines = append(differs.Lines, variant.Line{File: c.file, From: c.from, To: c.to})
	}
	older, newer = filepath.Join(scratch, "older"), filepath.Join(scratch, "newer")
	return older, newer, errors.Join(
		variant.Build(ctx, repository, older, variant.Source{}),
		variant.Build(ctx, repository, newer, differs))
}
