package cluster

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
)

// garbage deletes the children of a release that is gone, by name and UID.
func (s *stage) garbage(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	release := &v1alpha1.ImmutableRelease{}
	if err := s.Get(ctx, key, release); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &corev1.ServiceList{},
		&corev1.ConfigMapList{}, &corev1.SecretList{}, &batchv1.JobList{},
	} {
		if err := s.collect(ctx, list, key, release.UID); err != nil {
			return reconcile.Result{}, err
		}
	}
	return reconcile.Result{}, nil
}

// collect deletes what is owned by a release of that name with another UID.
func (s *stage) collect(ctx context.Context, list client.ObjectList, release types.NamespacedName, uid types.UID) error {
	if err := s.List(ctx, list, client.InNamespace(release.Namespace), client.MatchingLabels{v1alpha1.LabelRelease: release.Name}); err != nil {
		return err
	}
	return each(list, func(object client.Object) error {
		owner := metav1.GetControllerOf(object)
		if owner == nil || owner.Kind != "ImmutableRelease" || owner.UID == uid {
			return nil
		}
		return client.IgnoreNotFound(s.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	})
}
