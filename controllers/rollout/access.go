package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Interactive access to a release. A BreakGlass opens it by a record, and is carried out
// by a line in an annotation of the namespace, which admission reads. Admission writes
// every use down before it lets it through, and looks at the line after: so once the line
// is gone, and the uses are read, none is missing. Then the pods that were entered are
// replaced, and when they are gone a record closes it.
//
//	Opened -> line -> Entered ... -> no line -> Entered (the last) -> pods replaced -> Closed

// Reasons of the records of a BreakGlass.
const (
	ReasonOpened  = "Opened"
	ReasonEntered = "Entered"
	ReasonClosed  = "Closed"
)

// replaceWithin is how long pods that were entered, or are not as sealed, wait for others
// of their component to be well before they are replaced: from the end of the access, or
// from the record that tells of them.
const replaceWithin = 5 * time.Minute

// AccessLine is what opened access is to admission: release, action, end and user.
func AccessLine(access v1alpha1.OpenedAccess) string {
	return strings.Join([]string{access.Name, access.ActionName, access.EndTime.UTC().Format(time.RFC3339), access.Requester}, " ")
}

// breakGlass opens access to a release that has pods. Who may, and for how long, was
// asked when the action was created, and is asked again at every use.
func (v view) breakGlass(a *v1alpha1.ReleaseAction) *Entry {
	r, end := v.release(a.Spec.ReleaseName), a.EndTime()
	switch {
	case r == nil || r.Deleting:
		return v.refuse(a, "ReleaseGone", "there is no release "+a.Spec.ReleaseName)
	case !v.isLive(r):
		return v.refuse(a, "NoPods", r.Name+" has no pods that could be entered")
	case !v.Now.Before(end):
		return v.refuse(a, "TooLate", fmt.Sprintf("its time was over at %s: ask by another action", end.UTC().Format(time.RFC3339)))
	case len(v.state.Opened) >= v1alpha1.MaxOpened:
		return v.refuse(a, "TooManyOpen", fmt.Sprintf("access of %d actions is open on this track, or has pods to be replaced", len(v.state.Opened)))
	}
	e := v.about(r, v1alpha1.EventBreakGlass, ReasonOpened, fmt.Sprintf("%s may enter the pods of %s until %s%s: %s",
		a.Spec.Requester, r.Name, end.UTC().Format(time.RFC3339), forTicket(a), a.Spec.Reason))
	e.State.Opened = append(e.State.Opened, v1alpha1.OpenedAccess{
		ReleaseRef: r.ref(), ActionName: a.Name, Requester: a.Spec.Requester, EndTime: metav1.NewTime(end),
	})
	return e
}

func forTicket(a *v1alpha1.ReleaseAction) string {
	if a.Spec.Ticket == "" {
		return ""
	}
	return ", for ticket " + a.Spec.Ticket
}

// recordUse is a record for every use, in their order.
func (v view) recordUse() *Entry {
	for i := range v.state.Opened {
		access := &v.state.Opened[i]
		for _, use := range v.Uses {
			if !isLater(access, use) {
				continue
			}
			e := v.ofAccess(access, ReasonEntered, fmt.Sprintf("%s: %s", use.Way, where(use)))
			opened := &e.State.Opened[i]
			opened.UseTime = use.Time.DeepCopy()
			noteEntered(opened, use)
			return e
		}
	}
	return nil
}

// isLater says whether a use is of this access, and no record tells of it yet.
func isLater(access *v1alpha1.OpenedAccess, use Use) bool {
	return use.ActionName == access.ActionName && (access.UseTime == nil || use.Time.After(access.UseTime.Time))
}

func noteEntered(access *v1alpha1.OpenedAccess, use Use) {
	if !slices.ContainsFunc(access.Pods, func(p v1alpha1.EnteredPod) bool { return p.UID == use.PodUID }) {
		access.Pods = append(access.Pods, v1alpha1.EnteredPod{Name: use.PodName, UID: use.PodUID, ComponentName: use.ComponentName})
	}
}

// withUses is what was entered also by uses that no record tells of yet: without its
// track none will, and the pods are replaced all the same.
func (v view) withUses() view {
	v.state = v.state.DeepCopy()
	for i := range v.state.Opened {
		for _, use := range v.Uses {
			if access := &v.state.Opened[i]; isLater(access, use) {
				noteEntered(access, use)
			}
		}
	}
	return v
}

func where(use Use) string {
	if use.ContainerName == "" {
		return "pod " + use.PodName
	}
	return fmt.Sprintf("container %s of pod %s", use.ContainerName, use.PodName)
}

// closeAccess once it is over, admission knows, and the pods that were entered are gone.
func (v view) closeAccess() *Entry {
	for i := range v.state.Opened {
		access := &v.state.Opened[i]
		left := slices.ContainsFunc(access.Pods, func(p v1alpha1.EnteredPod) bool { return v.entered(p.UID) != nil })
		if !v.over(access) || left || slices.Contains(v.Access, AccessLine(*access)) {
			continue
		}
		message := "nobody entered a pod"
		if n := len(access.Pods); n > 0 {
			message = fmt.Sprintf("the pods that were entered are gone: %d", n)
		}
		e := v.ofAccess(access, ReasonClosed, message)
		e.State.Opened = slices.Delete(e.State.Opened, i, i+1)
		e.Confirm = true
		return e
	}
	return nil
}

func (v view) ofAccess(access *v1alpha1.OpenedAccess, reason, message string) *Entry {
	e := v.aboutRef(access.ReleaseRef, v1alpha1.EventBreakGlass, reason, message)
	e.ActionName, e.Actor = access.ActionName, access.Requester
	return e
}

// over: its time is, or the release that it is to has gone or has no pods any more.
func (v view) over(access *v1alpha1.OpenedAccess) bool {
	r := v.object(access.ReleaseRef)
	return v.Track == nil || !v.Now.Before(access.EndTime.Time) || r == nil || r.Deleting || !v.isLive(r)
}

// writeAccess keeps what admission reads. With a log that cannot be trusted all is closed.
func (v view) writeAccess() []Action {
	var lines []string
	for i := range v.state.Opened {
		if access := &v.state.Opened[i]; v.Log.Broken == "" && !v.over(access) {
			lines = append(lines, AccessLine(*access))
		}
	}
	if slices.Equal(lines, v.Access) {
		return nil
	}
	return []Action{WriteAccess{Lines: lines}}
}

// replacePods that were entered, once their user has no access to the release any more:
// of a component one after the other, while it has all its pods; when that takes too
// long, all.
func (v view) replacePods() []Action {
	var do []Action
	busy, seen := map[string]bool{}, map[types.UID]bool{}
	each := func(visit func(*v1alpha1.OpenedAccess, v1alpha1.EnteredPod, *Pod)) {
		for i := range v.state.Opened {
			access := &v.state.Opened[i]
			for _, pod := range access.Pods {
				if there := v.entered(pod.UID); there != nil && v.isDue(access) {
					visit(access, pod, there)
				}
			}
		}
	}
	each(func(access *v1alpha1.OpenedAccess, pod v1alpha1.EnteredPod, there *Pod) {
		seen[pod.UID] = there.Deleting
		if there.Deleting {
			busy[access.Name+"/"+pod.ComponentName] = true
		}
	})
	each(func(access *v1alpha1.OpenedAccess, pod v1alpha1.EnteredPod, _ *Pod) {
		component := access.Name + "/" + pod.ComponentName
		late := !v.Now.Before(access.EndTime.Add(replaceWithin))
		if seen[pod.UID] || !late && (busy[component] || !v.whole(access.ReleaseRef, pod.ComponentName)) {
			return
		}
		seen[pod.UID], busy[component] = true, true
		do = append(do, DeletePod{Name: pod.Name, UID: pod.UID})
	})
	return do
}

// isDue: it is over, and so is all that the same user has open to the same release.
func (v view) isDue(access *v1alpha1.OpenedAccess) bool {
	return !slices.ContainsFunc(v.state.Opened, func(other v1alpha1.OpenedAccess) bool {
		return other.UID == access.UID && other.Requester == access.Requester && !v.over(&other)
	})
}

// whole: one pod of a component can be missed. What is not there misses none.
func (v view) whole(ref v1alpha1.ReleaseRef, component string) bool {
	r := v.object(ref)
	if r == nil {
		return true
	}
	c := r.component(component)
	if c == nil || c.Deployment != Ours {
		return true
	}
	return c.AvailableReplicas >= c.Replicas && (c.Service != Ours || c.ReadyEndpoints >= c.Replicas)
}

// entered is a pod that was entered and is still there; nil when it is gone.
func (v view) entered(uid types.UID) *Pod {
	for i := range v.Entered {
		if v.Entered[i].UID == uid {
			return &v.Entered[i]
		}
	}
	return nil
}

// accessMoments are when access ends, and when its pods wait no longer.
func (v view) accessMoments() []time.Time {
	var moments []time.Time
	for _, access := range v.state.Opened {
		moments = append(moments, access.EndTime.Time, access.EndTime.Add(replaceWithin))
	}
	return moments
}
