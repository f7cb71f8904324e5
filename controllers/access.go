package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/rollout"
)

// observeAccess reads what the namespace says is open. It comes before the uses are read:
// what admission let through was written down before it looked at the namespace again.
func (r *TrackReconciler) observeAccess(ctx context.Context, w *world, how reading) error {
	namespace := policy.NamespaceMetadata()
	if err := r.reader(how, intent).Get(ctx, client.ObjectKey{Name: w.Namespace}, namespace); err != nil {
		return ignoreNotFound(err, "read namespace %s", w.Namespace)
	}
	w.namespace = namespace
	if text := namespace.Annotations[accessKey(w.TrackName)]; text != "" {
		w.Access = strings.Split(text, "\n")
	}
	return nil
}

func accessKey(track string) string { return v1alpha1.AnnotationOpenedPrefix + track }

// observeUses tells of the uses of what is open, and of the pods that were entered.
func (r *TrackReconciler) observeUses(_ context.Context, w *world, _ reading) error {
	entered := map[types.UID]bool{}
	for _, access := range w.state().Opened {
		for i := range w.actions {
			if action := &w.actions[i]; action.Name == access.ActionName {
				for _, use := range action.Status.Uses {
					w.Uses = append(w.Uses, rollout.Use{ActionName: action.Name, AccessUse: use})
					entered[use.PodUID] = true
				}
			}
		}
		for _, pod := range access.Pods {
			entered[pod.UID] = true
		}
	}
	if len(entered) == 0 {
		return nil
	}
	for _, group := range w.children.pods {
		for _, pod := range group {
			if entered[pod.UID] {
				w.Entered = append(w.Entered, rollout.Pod{UID: pod.UID, Deleting: pod.DeletionTimestamp != nil})
			}
		}
	}
	return nil
}

// writeAccess writes under the resourceVersion that was observed.
func (r *TrackReconciler) writeAccess(ctx context.Context, w *world, a rollout.WriteAccess) error {
	note := w.note
	if w.namespace == nil || note.behind(w.namespace) {
		return fmt.Errorf("write the access of namespace %s: %w", w.Namespace, errBehind)
	}
	err := noteOn(ctx, r.Client, w.namespace.DeepCopy(), accessKey(w.TrackName), strings.Join(a.Lines, "\n"))
	if err == nil {
		note.wrote(w.namespace)
	}
	return err
}

// deletePod deletes the pod that was entered; its ReplicaSet makes another.
func (r *TrackReconciler) deletePod(ctx context.Context, w *world, a rollout.DeletePod) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: a.Name, UID: a.UID}}
	return r.delete(ctx, w, pod, client.Preconditions{UID: &a.UID})
}

// accessChanged passes a namespace on which something else is said to be open.
var accessChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	for _, of := range [][2]map[string]string{
		{e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()}, {e.ObjectNew.GetAnnotations(), e.ObjectOld.GetAnnotations()},
	} {
		for key, text := range of[0] {
			if other, is := of[1][key]; strings.HasPrefix(key, v1alpha1.AnnotationOpenedPrefix) && (!is || other != text) {
				return true
			}
		}
	}
	return false
}}
