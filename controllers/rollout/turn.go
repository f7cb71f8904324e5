package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ReasonTurnCome is the reason of a TurnTaken by which a rollout took a free place. All
// others take theirs whether one is free or not.
const ReasonTurnCome = "TurnCome"

// Turn is how a candidate stands among the rollouts of which no more than a limit are under
// way at once. The zero value: nothing limits them.
type Turn struct {
	// NamespaceLimit is of the namespace, and Limit of all of them; 0: none.
	NamespaceLimit, Limit int
	// NamespaceUnderWay are the tracks of the namespace that are under way, in order, and
	// UnderWay the number of those of all.
	NamespaceUnderWay []string
	UnderWay          int
	// Before is how many tracks wait whose turn comes before this one's, as things stand.
	Before int
	// Come: a place is free that is this one's.
	Come bool
	// Unread says why nobody knows the limit of the namespace; "" when it is known.
	Unread string
	// Told is what the operator says of it, to somebody who looks on and cannot know; "" for
	// nothing.
	Told string
}

func (t Turn) limited() bool {
	return t.Told != "" || t.NamespaceLimit > 0 || t.Limit > 0 || t.Unread != ""
}

// needsTurn says whether the candidate may make its pods only once its turn has come. What
// has weight, or goes back to what was trusted once, waits for nobody.
func (v view) needsTurn() bool {
	c := v.state.Candidate
	return c.TurnTakenTime == nil && (v.Turn.limited() || c.TurnAwaitedTime != nil) && v.weight() == 0 && !v.trusted(v.candidate)
}

// gateTurnTaken: no more rollouts are under way than the operator and the policies of the
// namespace let be. It is asked once nothing else but the candidate's own making is in the
// way, and before its first test or pod.
func gateTurnTaken(v view) (string, string, bool) {
	if !v.needsTurn() {
		return "", "", false
	}
	t := v.Turn
	switch here := len(t.NamespaceUnderWay); {
	case t.Told != "":
		return "RolloutsUnderWay", t.Told, true
	case t.Unread != "":
		return "PoliciesUnread", "it is not known how many rollouts may be under way in the namespace: " + t.Unread, true
	case t.NamespaceLimit > 0 && here >= t.NamespaceLimit:
		return "RolloutsUnderWay", fmt.Sprintf("%d of %d rollouts of the namespace are under way (%s): the next begins when one ends, %s",
			here, t.NamespaceLimit, few(t.NamespaceUnderWay), t.before()), true
	case t.Limit > 0 && t.UnderWay >= t.Limit:
		return "RolloutsUnderWay", fmt.Sprintf("%d of %d rollouts of all namespaces are under way, %d of them in this one: the next begins when one ends, %s",
			t.UnderWay, t.Limit, here, t.before()), true
	}
	return "RolloutsWaiting", "a rollout may begin, " + t.before(), true
}

func (t Turn) before() string {
	switch t.Before {
	case 0:
		return "and this one is next"
	case 1:
		return "and 1 track is before this one"
	}
	return fmt.Sprintf("and %d tracks are before this one", t.Before)
}

// fewNames are as many as people read.
const fewNames = 5

func few(names []string) string {
	if len(names) <= fewNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:fewNames], ", "), len(names)-fewNames)
}

// takeTurn records that the turn of the candidate has come, or that it waits for it: who
// waits, since when, and who is under way, the logs of the tracks tell, and nothing else.
// What has begun already, and what is to replace a release that is down, takes its turn
// at once.
func (v view) takeTurn() *Entry {
	if v.candidate == nil || !v.needsTurn() || !v.reaches("TurnTaken") {
		return nil
	}
	now := v.now()
	taken := func(reason, message string) *Entry {
		e := v.about(v.candidate, v1alpha1.EventTurnTaken, reason, message)
		e.State.Candidate.TurnTakenTime = &now
		return e
	}
	switch {
	case v.begun():
		return taken("Begun", "it had begun already")
	case v.state.Stable != nil && !v.canServe(v.baseline):
		e := taken("BaselineDown", v.state.Stable.Name+" cannot serve, and what replaces it waits for nobody")
		e.Confirm = true // That must be more than a cache that lags behind.
		return e
	case v.Turn.Come:
		return taken(ReasonTurnCome, "a place is free")
	case v.Turn.Unread == "" && v.Turn.limited() && v.state.Candidate.TurnAwaitedTime == nil:
		_, message, _ := gateTurnTaken(v)
		e := v.about(v.candidate, v1alpha1.EventTurnAwaited, "RolloutsUnderWay", message)
		e.State.Candidate.TurnAwaitedTime = &now
		return e
	}
	return nil
}

// begun says whether the candidate has pods, or had a test run.
func (v view) begun() bool {
	for _, c := range v.candidate.Components {
		if c.Deployment == Ours {
			return true
		}
	}
	return len(v.state.Tests) > 0
}

// yieldTurn lets others go first while the candidate waits for other tracks: what these
// wait for may be its very turn.
func (v view) yieldTurn() *Entry {
	c := v.state.Candidate
	if v.candidate == nil || c.TurnAwaitedTime == nil && c.TurnTakenTime == nil {
		return nil
	}
	_, message, blocked := gateRequiredTracksPromoted(v)
	if !blocked {
		return nil
	}
	e := v.about(v.candidate, v1alpha1.EventTurnYielded, "RequiredTracks", message)
	e.State.Candidate.TurnAwaitedTime, e.State.Candidate.TurnTakenTime = nil, nil
	return e
}

// turnLook is when to look again at a turn that has not come, to say how far it is: the
// sooner the nearer it is, so that a long line is not looked at all the time. That it has
// come is told. Zero while nothing is waited for.
func (v view) turnLook() time.Time {
	if _, _, waits := gateTurnTaken(v); !waits || !v.reaches("TurnTaken") {
		return time.Time{}
	}
	return v.Now.Add(lookAgain * time.Duration(1+v.Turn.Before))
}

// turnTime is when the turn of the candidate came; zero where it did not have to.
func (v view) turnTime() time.Time {
	if taken := v.state.Candidate.TurnTakenTime; taken != nil {
		return taken.Time
	}
	return time.Time{}
}
