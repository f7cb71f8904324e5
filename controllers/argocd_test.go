package controllers

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	played "github.com/strata-release/strata/test/world"
)

// argoCD is where the scripts for Argo CD are, with the objects that their tests show them.
const argoCD = "../config/argocd/strata.dev"

// moment of a story at which Argo CD looks: at the track, at releases, by the names of
// the files in which its tests find them, and at the actions so far, likewise.
type moment struct {
	play     func(*told)
	releases map[string]string
	actions  []string
}

// moments are by the name of the file of the track.
var moments = map[string]moment{
	"new": {play: func(*told) {}},
	"settled": {play: func(s *told) {
		oneRelease(s)
		s.publish(2, well())
		s.run(time.Hour, func() bool { return false })
	}, releases: map[string]string{"stable": "shop-2", "standby": "shop-1"}},
	"edited": {play: func(s *told) { oneRelease(s); s.track.Generation++ }},
	"holding": {play: func(s *told) {
		oneRelease(s)
		s.publish(2, well())
		s.untilWeight("shop-2", 20)
		s.look()
	}, releases: map[string]string{"holding": "shop-2"}},
	"baking": {play: func(s *told) {
		oneRelease(s)
		s.publish(2, well())
		s.untilWeight("shop-2", 100)
		s.look()
	}},
	"approval": {play: func(s *told) {
		oneRelease(s)
		s.Track.Spec.Rollout.Steps[0].Approval = v1alpha1.ApprovalRequired
		s.publish(2, well())
		s.rest()
	}, releases: map[string]string{"approval": "shop-2"}},
	"paused": {play: func(s *told) {
		oneRelease(s)
		s.Track.Spec.Rollout.AdvancePolicy = v1alpha1.AdvancePaused
		s.publish(2, well())
		s.rest()
	}, releases: map[string]string{"paused": "shop-2"}},
	"failed": {play: func(s *told) { oneRelease(s); s.publish(2, failing()); s.rest() }, releases: map[string]string{"failed": "shop-2"}},
	"rolled-back": {play: func(s *told) {
		oneRelease(s)
		s.publish(2, well())
		s.rest()
		s.ask(v1alpha1.ActionRollback, "shop-1", 0)
		s.rest()
	}, releases: map[string]string{"rolled-back": "shop-2"}, actions: []string{"done"}},
	"refused": {play: func(s *told) {
		oneRelease(s)
		s.ask(v1alpha1.ActionRetry, "shop-1", 0)
		s.rest()
	}, actions: []string{"refused"}},
	"asked": {play: func(s *told) { oneRelease(s); s.ask(v1alpha1.ActionRollback, "shop-1", 0) }, actions: []string{"asked"}},
	"superseded": {play: func(s *told) {
		oneRelease(s)
		s.publish(2, well())
		s.untilWeight("shop-2", 20)
		s.publish(3, well())
		s.rest()
	}, releases: map[string]string{"superseded": "shop-2", "retired": "shop-1"}},
	"pinned": {play: func(s *told) {
		oneRelease(s)
		s.Track.Spec.ReleaseName = "shop-1"
		s.publish(2, well())
		s.rest()
	}, releases: map[string]string{"waiting": "shop-2"}},
}

func oneRelease(s *told) { s.publish(1, well()); s.rest() }

// health is what Argo CD calls that which kstatus reads. What waits for people is
// Suspended, which kstatus has no word for.
var health = map[status.Status][]string{
	status.CurrentStatus: {"Healthy"}, status.InProgressStatus: {"Progressing", "Suspended"}, status.FailedStatus: {"Degraded"},
}

// The objects that the tests of Argo CD's scripts read are those of played worlds, and
// the health that these tests want is the one that kstatus reads.
func TestWhatArgoCDReads(t *testing.T) {
	wanted := map[string]map[string]string{}
	for _, kind := range []string{"ReleaseTrack", "ImmutableRelease", "ReleaseAction"} {
		wanted[kind] = healthTests(t, kind)
	}
	for _, name := range slices.Sorted(maps.Keys(moments)) {
		s := newTold(t, shopTrack())
		moments[name].play(s)
		s.shown(wanted["ReleaseTrack"], "ReleaseTrack", name, s.track)
		for file, release := range moments[name].releases {
			s.shown(wanted["ImmutableRelease"], "ImmutableRelease", file, s.releases[s.Releases[release].UID])
		}
		for i, file := range moments[name].actions {
			s.shown(wanted["ReleaseAction"], "ReleaseAction", file, s.answered(i))
		}
	}
	for kind, rest := range wanted {
		for file := range rest {
			t.Errorf("%s/%s: health_test.yaml tests %s, which is no moment of a story", argoCD, kind, file)
		}
	}
}

// answered is the n-th action with its answer.
func (s *told) answered(n int) *v1alpha1.ReleaseAction {
	action := s.Actions[n].DeepCopy()
	for _, record := range s.Records {
		if record.Spec.ActionName == action.Name {
			record.CreationTimestamp = metav1.NewTime(record.Spec.Time.Time)
			action.Status = actionStatus(action, &record)
		}
	}
	return action
}

// shown compares an object with the file that Argo CD's tests show to its scripts, and
// takes it off those that are wanted.
func (s *told) shown(wanted map[string]string, kind, name string, object client.Object) {
	s.Helper()
	object.SetNamespace("shop")
	object.SetUID(cmp.Or(object.GetUID(), types.UID(kind)))
	object.SetResourceVersion("4711")
	object.SetCreationTimestamp(metav1.NewTime(played.Start))
	object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	got, err := yaml.Marshal(object)
	if err != nil {
		s.Fatal(err)
	}
	inputPath := filepath.Join("testdata", name+".yaml")
	file := filepath.Join(argoCD, kind, inputPath)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			s.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != string(got) {
		s.Errorf("%s differs (%v); see the change by go test ./controllers -update and git diff", file, err)
	}
	u, encoded := &unstructured.Unstructured{}, []byte(nil)
	if encoded, err = yaml.YAMLToJSON(got); err == nil {
		err = u.UnmarshalJSON(encoded)
	}
	if err != nil {
		s.Fatal(err)
	}
	is, tested := wanted[inputPath]
	if !tested {
		s.Errorf("health_test.yaml has no test of %s", file)
	}
	if _, seen, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "conditions"); seen {
		reads, err := status.Compute(u)
		if err != nil {
			s.Fatal(err)
		}
		if !slices.Contains(health[reads.Status], is) {
			s.Errorf("%s: kstatus reads %s, and health_test.yaml wants %q, not one of %v", file, reads.Status, is, health[reads.Status])
		}
	}
	delete(wanted, inputPath)
}

// healthTests are the health that the tests of a kind want, by the path of the object.
func healthTests(t *testing.T, kind string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(argoCD, kind, "health_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			InputPath    string `json:"inputPath"`
			HealthStatus struct {
				Status string `json:"status"`
			} `json:"healthStatus"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{}
	for _, test := range file.Tests {
		wanted[test.InputPath] = test.HealthStatus.Status
	}
	return wanted
}
