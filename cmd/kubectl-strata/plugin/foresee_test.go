package plugin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// What would follow of a template is that its release is created, and then tried; or why
// not.
func TestForeseeATemplate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	of := both[v1alpha1.ImmutableRelease]{inTemplate: true, object: &v1alpha1.ImmutableRelease{}}
	of.object.Name, of.object.Spec.Version = "shop-1-0", "1.0"
	for name, test := range map[string]struct {
		log  rollout.Log
		want []string
	}{
		"a new version": {rollout.Log{}, []string{"Published shop-1-0", "AttemptOpened shop-1-0"}},
		"one that is gone": {rollout.Log{Verdicts: map[string]rollout.Verdict{"1.0": {Event: v1alpha1.EventFailed}}},
			[]string{"it would not be created: spec.releaseTemplate has version 1.0, whose release is gone"}},
	} {
		p := &planned{Outcome: outcomeCreated, ContentDigest: "sha256:1"}
		o := rollout.Observation{Now: now, Namespace: "shop", TrackName: "shop", Actor: "strata", Track: &rollout.Track{}, Log: test.log}
		p.foresee(o, of, nil, func() time.Time { return now })
		if len(p.Next) != len(test.want) || slices.ContainsFunc(test.want, func(want string) bool {
			return !slices.ContainsFunc(p.Next, func(line string) bool { return strings.HasPrefix(line, want) })
		}) {
			t.Errorf("%s: %q, want %q", name, p.Next, test.want)
		}
	}
}
