package plugin

import (
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// TestWhatTheUserMayNotReadBlocksNothing: it is as the operator reports it, or not known.
func TestWhatTheUserMayNotReadBlocksNothing(t *testing.T) {
	told := &v1alpha1.ReleaseTrack{}
	told.Status.BlockedBy = &v1alpha1.BlockedBy{Gate: "Approved", Reason: "ApprovalRequired", Message: "the step waits"}
	unread := rollout.Gate{Name: "Approved", Blocked: true, Reason: "PoliciesUnread", Message: "forbidden"}
	for name, test := range map[string]struct {
		gate           rollout.Gate
		track          *v1alpha1.ReleaseTrack
		unseen         []string
		answer, reason string
	}{
		"policies, told":   {unread, told, nil, gateBlocks, "ApprovalRequired"},
		"policies":         {unread, &v1alpha1.ReleaseTrack{}, nil, gateUnknown, ""},
		"a required track": {rollout.Gate{Name: "RequiredTracksPromoted", Blocked: true, Reason: "NotPromotedThere"}, told, []string{"ReleaseRecord of namespace staging"}, gateUnknown, ""},
		"all was read":     {rollout.Gate{Name: "RequiredTracksPromoted", Blocked: true, Reason: "NotPromotedThere"}, told, nil, gateBlocks, "NotPromotedThere"},
	} {
		if e := explainGate(test.gate, test.track, &scanner{unseen: test.unseen}); e.Answer != test.answer || e.Reason != test.reason {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
