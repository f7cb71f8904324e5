package cluster

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const gatewayController = "example.com/played"

// route reports on an HTTPRoute at its generation, to each of its parents.
func (s *stage) route(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	route := &gatewayv1.HTTPRoute{}
	if err := s.Get(ctx, key, route); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	play := s.behaviours.of(key.Namespace).route(route)
	if play.Silent {
		return reconcile.Result{}, nil
	}
	if due := written(route).Add(play.After); play.After > 0 && time.Now().Before(due) {
		return reconcile.Result{RequeueAfter: time.Until(due)}, nil
	}
	missing, err := s.missingBackend(ctx, route)
	if err != nil {
		return reconcile.Result{}, err
	}
	reported := route.DeepCopy()
	reported.Status.Parents = nil
	for _, parent := range route.Spec.ParentRefs {
		reported.Status.Parents = append(reported.Status.Parents, reportTo(route, parent, play, missing))
	}
	if !reflect.DeepEqual(reported.Status, route.Status) {
		err = s.Status().Update(ctx, reported)
	}
	if missing != "" {
		return reconcile.Result{RequeueAfter: again}, err
	}
	return reconcile.Result{}, err
}

// written is when somebody last wrote the spec.
func written(route *gatewayv1.HTTPRoute) time.Time {
	last := route.CreationTimestamp.Time
	for _, entry := range route.ManagedFields {
		if entry.Subresource == "" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	return last
}

// missingBackend is a Service that the route refers to and that is not there.
func (s *stage) missingBackend(ctx context.Context, route *gatewayv1.HTTPRoute) (string, error) {
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			name := string(backend.Name)
			err := s.Get(ctx, types.NamespacedName{Namespace: route.Namespace, Name: name}, &corev1.Service{})
			if apierrors.IsNotFound(err) {
				return name, nil
			}
			if err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func reportTo(route *gatewayv1.HTTPRoute, parent gatewayv1.ParentReference, play Route, missing string) gatewayv1.RouteParentStatus {
	report := gatewayv1.RouteParentStatus{ParentRef: parent, ControllerName: gatewayController}
	for _, former := range route.Status.Parents {
		if reflect.DeepEqual(former.ParentRef, parent) {
			report.Conditions = append(report.Conditions, former.Conditions...)
		}
	}
	set := func(kind gatewayv1.RouteConditionType, status metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&report.Conditions, metav1.Condition{
			Type: string(kind), Status: status, Reason: reason, Message: message, ObservedGeneration: route.Generation,
			LastTransitionTime: metav1.Now().Rfc3339Copy(),
		})
	}
	set(gatewayv1.RouteConditionAccepted, metav1.ConditionTrue, string(gatewayv1.RouteReasonAccepted), "")
	if play.Refusal != "" {
		set(gatewayv1.RouteConditionAccepted, metav1.ConditionFalse, play.Refusal, play.Message)
	}
	set(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionTrue, string(gatewayv1.RouteReasonResolvedRefs), "")
	if missing != "" {
		set(gatewayv1.RouteConditionResolvedRefs, metav1.ConditionFalse, string(gatewayv1.RouteReasonBackendNotFound), fmt.Sprintf("Service %s is not there", missing))
	}
	return report
}
