package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Enter is what admission does when the requester of an action wants to enter the n-th
// pod of a component: a use that is let through is written down first. false: it is not.
func (w *World) Enter(action, component string, n int) bool {
	i := slices.IndexFunc(w.Actions, func(a v1alpha1.ReleaseAction) bool { return a.Name == action })
	if i < 0 || !slices.ContainsFunc(w.Opened.Lines, func(line string) bool { return strings.Fields(line)[1] == action }) {
		return false
	}
	changed := *w.Actions[i].DeepCopy()
	if !w.Now.Before(changed.EndTime()) || len(changed.Status.Uses) == v1alpha1.MaxUses {
		return false
	}
	release := changed.Spec.ReleaseName
	name := fmt.Sprintf("%s-%s-%d", release, component, n)
	uid := types.UID(fmt.Sprintf("pod-%s-%d", name, w.replaced[name]))
	at := metav1.NewMicroTime(w.Now)
	if uses := changed.Status.Uses; len(uses) > 0 && !at.After(uses[len(uses)-1].Time.Time) {
		at = metav1.NewMicroTime(uses[len(uses)-1].Time.Add(time.Microsecond))
	}
	changed.Status.Uses = append(changed.Status.Uses, v1alpha1.AccessUse{
		Time: at, Way: v1alpha1.AccessExec, PodName: name, PodUID: uid, ComponentName: component,
	})
	w.Actions = slices.Clone(w.Actions)
	w.Actions[i] = changed
	w.Entered[uid] = &EnteredPod{Name: name, Release: release, Component: component}
	w.everEntered[uid] = true
	return true
}

func observeAccess(c *Objects, o *rollout.Observation, state v1alpha1.TrackState) {
	o.Access = slices.Clone(c.Opened.Lines)
	for _, access := range state.Opened {
		for _, a := range c.Actions {
			if a.Name != access.ActionName {
				continue
			}
			for _, use := range a.Status.Uses {
				o.Uses = append(o.Uses, rollout.Use{ActionName: a.Name, AccessUse: use})
			}
		}
		for _, pod := range access.Pods {
			if there := c.Entered[pod.UID]; there != nil {
				o.Entered = append(o.Entered, rollout.Pod{UID: pod.UID, Deleting: !there.Gone.IsZero()})
			}
		}
	}
}

func (p *Planner) writeAccess(a rollout.WriteAccess) write {
	w, seen := p.World, p.objects.Opened
	line := "access: closed"
	if len(a.Lines) > 0 {
		line = "access: " + strings.Join(a.Lines, "; ")
	}
	return write{line, func() (bool, error) {
		if w.Opened.Version != seen.Version {
			return true, nil
		}
		w.Opened = Opened{Lines: a.Lines, Version: w.next()}
		return false, nil
	}}
}

// replacePod deletes a pod: its Deployment lacks it until another is ready.
func (p *Planner) deletePod(a rollout.DeletePod) write {
	w := p.World
	return write{"replace pod " + a.Name, func() (bool, error) {
		pod := w.Entered[a.UID]
		if pod == nil || !pod.Gone.IsZero() {
			return true, nil
		}
		for _, line := range w.Opened.Lines {
			if fields := strings.Fields(line); fields[0] == pod.Release && fields[3] == w.enteredBy(a.UID) {
				return false, fmt.Errorf("pod %s is replaced while its user has access: %s", a.Name, line)
			}
		}
		gone := *pod
		gone.Gone = w.Now.Add(2 * time.Second)
		w.Entered[a.UID] = &gone
		w.replaced[pod.Name]++
		for _, name := range slices.Sorted(maps.Keys(w.Deployments)) {
			d := w.Deployments[name]
			if d.Release != pod.Release || d.Component != pod.Component || d.Ready == 0 {
				continue
			}
			w.changeDeployment(name, func(d *Deployment) {
				d.Ready--
				d.lacks(w.Now)
				if script := w.script(d.Release); script.ReadyAfter >= 0 {
					d.ReadyAt = w.Now.Add(script.ReadyAfter)
				}
			})
		}
		return false, nil
	}}
}

// endPods takes away entered pods that were deleted, also with their Deployment.
func (w *World) endPods() []string {
	var changes []string
	for _, uid := range slices.Sorted(maps.Keys(w.Entered)) {
		pod := w.Entered[uid]
		d := w.Deployments[resources.ChildName(pod.Release, pod.Component)]
		if deleted := !pod.Gone.IsZero() && !w.Now.Before(pod.Gone); deleted || d == nil || d.Replicas == 0 {
			delete(w.Entered, uid)
			changes = append(changes, "pod "+pod.Name+" is gone")
		}
	}
	return changes
}

// checkBreakGlass: access is opened once for an action, and closed when nothing is open
// and no pod is left that was entered.
func (w *World) checkBreakGlass(before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	i := slices.IndexFunc(before.Opened, func(o v1alpha1.OpenedAccess) bool { return o.ActionName == spec.ActionName })
	if (spec.Reason == "Opened") == (i >= 0) {
		return fmt.Errorf("%s of %s, open before: %t", spec.Reason, spec.ActionName, i >= 0)
	}
	if spec.Reason != "Closed" {
		return nil
	}
	if slices.Contains(w.Opened.Lines, rollout.AccessLine(before.Opened[i])) {
		return fmt.Errorf("it is open: %v", w.Opened.Lines)
	}
	for _, pod := range before.Opened[i].Pods {
		if w.Entered[pod.UID] != nil {
			return fmt.Errorf("pod %s was entered, and is there", pod.Name)
		}
	}
	return nil
}

// enteredBy is who was let into a pod.
func (w *World) enteredBy(uid types.UID) string {
	for _, a := range w.Actions {
		if slices.ContainsFunc(a.Status.Uses, func(use v1alpha1.AccessUse) bool { return use.PodUID == uid }) {
			return a.Spec.Requester
		}
	}
	return ""
}

// CheckAccess holds for a world at rest: nothing is open, and every pod that was entered
// was replaced.
func (w *World) CheckAccess() error {
	if len(w.Opened.Lines) > 0 || len(w.Head().Opened) > 0 {
		return fmt.Errorf("access is open: %v, %v", w.Opened.Lines, w.Head().Opened)
	}
	if w.lost != nil {
		return nil // With the records goes the memory of who entered which pod.
	}
	for uid := range w.everEntered {
		if pod := w.Entered[uid]; pod != nil {
			return fmt.Errorf("pod %s was entered, and is still there", pod.Name)
		}
	}
	for _, a := range w.Actions {
		recorded := 0
		for _, r := range w.history {
			if r.Spec.ActionName == a.Name && r.Spec.Event == v1alpha1.EventBreakGlass && r.Spec.Reason == "Entered" {
				recorded++
			}
		}
		if recorded != len(a.Status.Uses) {
			return fmt.Errorf("action %s: %d uses, and %d are recorded", a.Name, len(a.Status.Uses), recorded)
		}
	}
	return nil
}
