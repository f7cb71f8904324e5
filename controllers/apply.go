package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

const fieldManager = traffic.FieldManager

// append writes the next record. Whoever loses its name to another writer starts
// over: the error is then ledger.ErrLost.
func (r *TrackReconciler) append(ctx context.Context, w *world, entry rollout.Entry) (*v1alpha1.ReleaseRecord, error) {
	if entry.Pruned != nil {
		entry.Pruned.KeptDigest = ledger.KeptDigest(w.records, entry.Pruned.BeforeSequence)
	}
	if entry.Event == v1alpha1.EventAdopted {
		if err := r.confirmLost(ctx, w); err != nil {
			return nil, err
		}
	}
	spec := ledger.Chain(w.TrackName, w.Log.Head, entry, w.ReadTime)
	record, err := r.appendInTurn(ctx, w, spec)
	if err != nil {
		return nil, err
	}
	w.note.head = spec.Sequence
	log.FromContext(ctx).Info("recorded", "event", spec.Event, "sequence", spec.Sequence,
		"release", record.Labels[v1alpha1.LabelRelease], "reason", spec.Reason, "actor", spec.Actor)
	if spec.Event.IsVerdict() {
		metrics.RecordVerdict(w.Namespace, w.TrackName, spec.Event)
	}
	if spec.Event == v1alpha1.EventDrift {
		metrics.RecordDrift(w.Namespace, w.TrackName)
	}
	return record, nil
}

// confirmLost looks once more whether a track has no records. It is the stamps of its
// routes that tell of lost ones, and they were read after the log: an operator that
// was paused between the two would take for lost what was not written yet.
func (r *TrackReconciler) confirmLost(ctx context.Context, w *world) error {
	list := &v1alpha1.ReleaseRecordList{}
	if err := r.listByName(ctx, list, w, reading{past: everything}, everything); err != nil {
		return err
	}
	if len(list.Items) > 0 {
		return fmt.Errorf("adopt what track %s serves: %w", w.key, ledger.ErrLost)
	}
	return nil
}

// apply carries out what the newest record wants done, in order, and stops at the
// first error; but a route, a mark, an owner, access or a repair that is refused keeps
// nothing from being made. Creates, and deletes of Jobs, carry no resourceVersion that a
// newer record would have changed, so the newest record is first read past the cache.
func (r *TrackReconciler) apply(ctx context.Context, w *world, do []rollout.Action) error {
	if len(do) == 0 {
		return nil
	}
	if err := ledger.Confirm(ctx, r.live, w.Namespace, w.TrackName, w.Log.Head); err != nil {
		return err
	}
	var refused, late error
	for _, action := range do {
		if refused != nil && breaks(action) {
			continue
		}
		err := r.carryOut(ctx, w, action)
		if _, evicts := action.(rollout.ReplacePod); evicts && apierrors.IsTooManyRequests(err) {
			late = errors.Join(late, err) // A budget says not now, for as long as it likes: nothing else waits for that.
			continue
		}
		if err != nil && mayBeRefused(action) && !isStale(err) {
			refused = errors.Join(refused, err)
			continue
		}
		if err != nil {
			return errors.Join(refused, late, err)
		}
	}
	return errors.Join(refused, late)
}

func mayBeRefused(action rollout.Action) bool {
	switch action.(type) {
	case rollout.WriteRoute, rollout.DetachRoute, rollout.MarkHeld, rollout.TakeOver, rollout.WriteAccess, rollout.RepairChild, rollout.MakeSnapshots, rollout.ReplacePod:
		return true
	}
	return false
}

func breaks(action rollout.Action) bool {
	switch action.(type) {
	case rollout.DeletePod, rollout.DeleteJobs, rollout.DeleteChildren, rollout.LiftMark, rollout.DeleteRelease, rollout.DeleteRecords, rollout.DeleteAction:
		return true
	}
	return false
}

func (r *TrackReconciler) carryOut(ctx context.Context, w *world, action rollout.Action) error { //nolint:gocyclo // a line for each action
	switch a := action.(type) {
	case rollout.WriteRoute:
		return r.writeRoute(ctx, w, a)
	case rollout.DetachRoute:
		return r.detachRoute(ctx, w, a)
	case rollout.SealRelease:
		return r.sealRelease(ctx, w, a)
	case rollout.TakeOver:
		return r.takeOver(ctx, w, a)
	case rollout.CreateChildren:
		return r.createChildren(ctx, w, a)
	case rollout.BoundAutoscaler:
		return r.boundAutoscaler(ctx, w, a)
	case rollout.ScaleComponent:
		return r.scale(ctx, w, a)
	case rollout.MarkService:
		return r.markService(ctx, w, a)
	case rollout.RepairChild:
		return r.repairChild(ctx, w, a)
	case rollout.MakeSnapshots:
		return r.makeSnapshots(ctx, w, a)
	case rollout.ReplacePod:
		return r.replacePod(ctx, w, a)
	case rollout.CreateJob:
		return r.createJob(ctx, w, a)
	case rollout.DeleteJobs:
		return r.deleteJobs(ctx, w, a)
	case rollout.DeleteChildren:
		return r.deleteChildren(ctx, w, a)
	case rollout.WriteAccess:
		return r.writeAccess(ctx, w, a)
	case rollout.DeletePod:
		return r.deletePod(ctx, w, a)
	case rollout.MarkHeld:
		return r.mark(ctx, w, a.Release, strconv.FormatInt(a.Sequence, 10))
	case rollout.LiftMark:
		return r.mark(ctx, w, a.Release, nil)
	case rollout.CreateRelease:
		return r.createRelease(ctx, w, a)
	case rollout.DeleteRelease:
		release := w.release(a.Release)
		return r.delete(ctx, w, release, asObserved(release))
	case rollout.DeleteRecords:
		return r.deleteRecords(ctx, w, a)
	case rollout.DeleteAction:
		i := slices.IndexFunc(w.actions, func(action v1alpha1.ReleaseAction) bool { return action.Name == a.Name })
		return r.delete(ctx, w, &w.actions[i], asObserved(&w.actions[i]))
	}
	return fmt.Errorf("apply %T: no such action", action)
}

func (r *TrackReconciler) writeRoute(ctx context.Context, w *world, a rollout.WriteRoute) error {
	note, routes := w.note, w.track.Spec.Traffic.Routes
	i := slices.IndexFunc(routes, func(route v1alpha1.Route) bool { return route.Name == a.Route })
	if i < 0 {
		return fmt.Errorf("apply route %s: track %s has no such route", a.Route, w.key)
	}
	for _, observed := range []client.Object{w.routes[i].Object, w.routes[i].Beside} {
		if observed != nil && note.behind(observed) {
			return fmt.Errorf("apply route %s: %w", a.Route, errBehind)
		}
	}
	written, err := r.options.Traffic.Apply(ctx, w.trafficTrack(), routes, w.routes, a)
	if written != nil {
		note.wrote(written)
	}
	return err
}

// detachRoute gives a user's route back.
func (r *TrackReconciler) detachRoute(ctx context.Context, w *world, a rollout.DetachRoute) error {
	for i := range w.routes {
		observed := &w.routes[i]
		if !observed.Route.Orphaned || observed.Route.Attached != a.Object {
			continue
		}
		if w.note.behind(observed.Object) {
			return fmt.Errorf("detach from %s: %w", a.Object, errBehind)
		}
		written, err := r.options.Traffic.Detach(ctx, *observed)
		if written != nil {
			w.note.wrote(written)
		}
		return err
	}
	return fmt.Errorf("detach from %s: track %s has no such route", a.Object, w.key)
}

// createChildren creates what is missing: Services and PodDisruptionBudgets first, then
// Deployments, then the autoscalers of these.
func (r *TrackReconciler) createChildren(ctx context.Context, w *world, a rollout.CreateChildren) error {
	missing, err := missingChildren(w.seals[a.Release], w.facts(a.Release).Components, a)
	if err != nil {
		return err
	}
	for _, object := range missing {
		if err := r.Create(ctx, object, client.FieldOwner(fieldManager)); err != nil {
			return fmt.Errorf("create %T %s/%s: %w", object, object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}

// boundAutoscaler writes under the resourceVersion that was observed.
func (r *TrackReconciler) boundAutoscaler(ctx context.Context, w *world, a rollout.BoundAutoscaler) error {
	observed := w.children.autoscalers[resources.ChildName(a.Release, a.Component)]
	bound := observed.DeepCopy()
	bound.Spec.MinReplicas, bound.Spec.MaxReplicas = &a.Least, a.Most
	resources.Stamp(bound, a.Sequence)
	patch := client.MergeFromWithOptions(observed, client.MergeFromWithOptimisticLock{})
	return wrap(r.Patch(ctx, bound, patch, client.FieldOwner(fieldManager)), "bound HorizontalPodAutoscaler %s/%s", w.Namespace, observed.Name)
}

// scale writes under the resourceVersion that was observed.
func (r *TrackReconciler) scale(ctx context.Context, w *world, a rollout.ScaleComponent) error {
	observed := w.children.deployments[resources.ChildName(a.Release, a.Component)]
	scaled := observed.DeepCopy()
	scaled.Spec.Replicas = &a.Replicas
	resources.Stamp(scaled, a.Sequence)
	patch := client.MergeFromWithOptions(observed, client.MergeFromWithOptimisticLock{})
	return wrap(r.Patch(ctx, scaled, patch, client.FieldOwner(fieldManager)), "scale Deployment %s/%s", w.Namespace, observed.Name)
}

// markService writes under the resourceVersion that was observed.
func (r *TrackReconciler) markService(ctx context.Context, w *world, a rollout.MarkService) error {
	marked := w.children.services[resources.ChildName(a.Release, a.Component)].DeepCopy()
	resources.Stamp(marked, a.Sequence)
	return wrap(r.Update(ctx, marked, client.FieldOwner(fieldManager)), "mark Service %s/%s", w.Namespace, marked.Name)
}

func (r *TrackReconciler) createJob(ctx context.Context, w *world, a rollout.CreateJob) error {
	job, err := w.seals[a.Release].Job(a.Test, a.Attempt, a.WeightPercent, a.Sequence)
	if err != nil {
		return err
	}
	return wrap(r.Create(ctx, job, client.FieldOwner(fieldManager)), "create Job %s/%s", w.Namespace, job.Name)
}

func (r *TrackReconciler) deleteJobs(ctx context.Context, w *world, a rollout.DeleteJobs) error {
	for i := range w.children.jobs {
		job := &w.children.jobs[i]
		if !slices.Contains(a.Names, job.Name) {
			continue
		}
		if err := r.delete(ctx, w, job, client.Preconditions{UID: &job.UID}); err != nil {
			return err
		}
	}
	return nil
}

// deleteChildren deletes autoscalers, Deployments, PodDisruptionBudgets, then Services,
// as they were observed: one that was marked by a later record stays.
func (r *TrackReconciler) deleteChildren(ctx context.Context, w *world, a rollout.DeleteChildren) error {
	for _, object := range w.children.of(w.facts(a.Release)) {
		if err := r.delete(ctx, w, object, asObserved(object)); err != nil {
			return err
		}
	}
	return nil
}

func (r *TrackReconciler) deleteRecords(ctx context.Context, w *world, a rollout.DeleteRecords) error {
	for i := range w.records {
		record := &w.records[i]
		if !slices.Contains(a.Sequences, record.Spec.Sequence) {
			continue
		}
		if err := r.delete(ctx, w, record, client.Preconditions{UID: &record.UID}); err != nil {
			return err
		}
	}
	return nil
}

func asObserved(object client.Object) client.Preconditions {
	uid, version := object.GetUID(), object.GetResourceVersion()
	return client.Preconditions{UID: &uid, ResourceVersion: &version}
}

// delete passes over what this process has deleted already, and the cache still shows.
func (r *TrackReconciler) delete(ctx context.Context, w *world, object client.Object, preconditions client.Preconditions) error {
	note := w.note
	if note.behind(object) {
		return nil
	}
	err := r.Delete(ctx, object, preconditions, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err == nil || apierrors.IsNotFound(err) {
		note.wrote(object)
		return nil
	}
	return fmt.Errorf("delete %T %s/%s: %w", object, object.GetNamespace(), object.GetName(), err)
}

// errBehind is the error of a write to an object that the cache still shows as it was
// before this process wrote it.
var errBehind = errors.New("the cache does not show yet what was written")

// errReplaced is the error of taking over for a release that the cache still shows.
var errReplaced = errors.New("the release is gone, or another object by now")

// errSlept is the error of a plan that was made from what was read too long ago.
var errSlept = errors.New("this process was asleep since it read the world")

// isStale says whether an error means that the world has moved on since it was
// observed: it is read again, and nothing is wrong.
func isStale(err error) bool {
	return errors.Is(err, ledger.ErrLost) || errors.Is(err, errTurnGone) || errors.Is(err, errBehind) || errors.Is(err, errReplaced) || errors.Is(err, errSlept) || traffic.IsStale(err)
}
