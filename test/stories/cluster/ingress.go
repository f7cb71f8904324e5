package cluster

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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

// gate gives a pod the readiness gate of its target group, if an action lists its Service by
// now, as the AWS Load Balancer Controller does. It opens at once.
func (s *stage) gate(ctx context.Context, pod *corev1.Pod, service string) error {
	all := &networkingv1.IngressList{}
	if err := s.List(ctx, all, client.InNamespace(pod.Namespace)); err != nil {
		return err
	}
	for i := range all.Items {
		for key, action := range all.Items[i].Annotations {
			if strings.HasPrefix(key, "alb.ingress.kubernetes.io/actions.") && strings.Contains(action, `"serviceName":"`+service+`"`) {
				gate := corev1.PodConditionType("target-health.elbv2.k8s.aws/k8s-" + service)
				pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: gate})
			}
		}
	}
	return nil
}
