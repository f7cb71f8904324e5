package cluster

import (
	"context"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// ingress publishes the address of an Ingress of a class that exists, and knows no more
// of it than that it is there, as controllers of Ingresses do.
func (s *stage) ingress(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	live := &networkingv1.Ingress{}
	if err := s.Get(ctx, key, live); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	class := types.NamespacedName{Name: ptr.Deref(live.Spec.IngressClassName, "")}
	err := s.Get(ctx, class, &networkingv1.IngressClass{})
	if apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: 200 * time.Millisecond}, nil // It may come.
	}
	if err != nil || len(live.Status.LoadBalancer.Ingress) > 0 {
		return reconcile.Result{}, err
	}
	taken := live.DeepCopy()
	taken.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	return reconcile.Result{}, s.Status().Update(ctx, taken)
}
