package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// approved says whether a step has the approvals that policies ask for; not while
// nobody knows what they ask for.
func (v view) approved(weight int32) bool {
	return v.Track.Approvals.Unread == "" && len(v.approvers(weight)) >= v.neededApprovals()
}

// approvers are the people whose approvals of a step count, each once.
func (v view) approvers(weight int32) []string {
	var people []string
	for _, a := range v.state.Approvals {
		if a.WeightPercent == weight && !v.lapsed(a) && !slices.Contains(people, a.Requester) && !v.excluded(a.Requester) {
			people = append(people, a.Requester)
		}
	}
	return people
}

// lapsed says whether an approval is too old to count, as the record that would enter its
// step would show.
func (v view) lapsed(a v1alpha1.Approval) bool {
	end := v.lapseTime(a)
	return !end.IsZero() && !v.now().Time.Before(end)
}

// lapseTime is from when on an approval does not count; zero: it counts while its attempt
// is open.
func (v view) lapseTime(a v1alpha1.Approval) time.Time {
	if v.Track.Approvals.Valid == 0 {
		return time.Time{}
	}
	return a.Time.Add(v.Track.Approvals.Valid)
}

// lapseTimes are when approvals of steps ahead lapse.
func (v view) lapseTimes() []time.Time {
	var ends []time.Time
	for _, a := range v.state.Approvals {
		if v.candidate != nil && a.WeightPercent > v.weight() {
			ends = append(ends, v.lapseTime(a))
		}
	}
	return ends
}

// lapses tells whose approvals of a step have lapsed, and when; "" for nobody's.
func (v view) lapses(weight int32) string {
	var told []string
	for _, a := range v.state.Approvals {
		if a.WeightPercent == weight && v.lapsed(a) && !v.excluded(a.Requester) {
			told = append(told, fmt.Sprintf("the approval of %s lapsed at %s", a.Requester, v.lapseTime(a).UTC().Format(time.RFC3339)))
		}
	}
	if len(told) == 0 {
		return ""
	}
	return "; " + strings.Join(told, ", ")
}

// excluded says whether somebody may not approve because of having published the
// candidate.
func (v view) excluded(user string) bool {
	return v.Track.Approvals.RequesterExcluded && v.candidate.RequestedBy == user
}

// neededApprovals is how many people must approve a step. Where nobody knows who
// published the release, that may be one of them: there it is one more.
func (v view) neededApprovals() int {
	needed := max(int(v.Track.Approvals.Count), 1)
	if v.excluded("") {
		needed++
	}
	return needed
}

// gateApproved: people have let the candidate enter the step.
func gateApproved(v view) (string, string, bool) {
	next := v.nextStep()
	if next.approval == 0 {
		return "", "", false
	}
	if unread := v.Track.Approvals.Unread; unread != "" {
		return "PoliciesUnread", fmt.Sprintf("the step to %d %% waits until it is known how many must approve it: %s", next.approval, unread), true
	}
	action := fmt.Sprintf("a ReleaseAction Approve with releaseName %s, attempt %d, weightPercent %d%s",
		v.candidate.Name, v.state.Candidate.Attempt, next.approval, v.lapses(next.approval))
	if needed := v.neededApprovals(); needed > 1 {
		return "ApprovalRequired", fmt.Sprintf("the step to %d %% has %d of %d approvals by different people, and waits for %s", next.approval, len(v.approvers(next.approval)), needed, action), true
	}
	return "ApprovalRequired", fmt.Sprintf("the step to %d %% waits for %s", next.approval, action), true
}

// approve notes an approval that counts.
func (v view) approve(a *v1alpha1.ReleaseAction) *Entry {
	c := v.state.Candidate
	switch {
	case c == nil || v.candidate == nil:
		return v.refuse(a, "NothingUnderWay", "no attempt is open")
	case c.Name != a.Spec.ReleaseName || a.Spec.Attempt == nil || *a.Spec.Attempt != c.Attempt:
		return v.refuse(a, "OtherAttempt", fmt.Sprintf("the open attempt is number %d of %s", c.Attempt, c.Name))
	case a.Spec.WeightPercent == nil || !v.asksForApproval(*a.Spec.WeightPercent):
		return v.refuse(a, "OtherStep", fmt.Sprintf("no step ahead of %s that asks for an approval has that weight", c.Name))
	case v.excluded(a.Spec.Requester):
		return v.refuse(a, "IsRequester", fmt.Sprintf("%s published %s, and policies want others to approve it", a.Spec.Requester, c.Name))
	case v.approved(*a.Spec.WeightPercent):
		return v.refuse(a, "ApprovedAlready", fmt.Sprintf("the step to %d %% has the approvals that it needs", *a.Spec.WeightPercent))
	case slices.Contains(v.approvers(*a.Spec.WeightPercent), a.Spec.Requester):
		return v.refuse(a, "ApprovedAlready", fmt.Sprintf("%s has approved the step to %d %%, and policies want %d different people to", a.Spec.Requester, *a.Spec.WeightPercent, v.neededApprovals()))
	}
	e := v.about(v.candidate, v1alpha1.EventApproved, "Approve", fmt.Sprintf("the step to %d %%: %s", *a.Spec.WeightPercent, a.Spec.Reason))
	e.State.Approvals = slices.DeleteFunc(e.State.Approvals, func(given v1alpha1.Approval) bool {
		return given.WeightPercent == *a.Spec.WeightPercent && given.Requester == a.Spec.Requester // It lapsed.
	})
	e.State.Approvals = append(e.State.Approvals, v1alpha1.Approval{
		WeightPercent: *a.Spec.WeightPercent, Requester: a.Spec.Requester, ActionName: a.Name, Time: v.now(),
	})
	return e
}

// asksForApproval says whether a step ahead has that weight and asks for an approval.
func (v view) asksForApproval(weight int32) bool {
	return slices.ContainsFunc(v.Track.rollout().Steps, func(s v1alpha1.RolloutStep) bool {
		return s.WeightPercent == weight && weight > v.weight() && s.Approval == v1alpha1.ApprovalRequired
	})
}
