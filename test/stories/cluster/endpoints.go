package cluster

import (
	"context"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// service keeps one EndpointSlice for a Service with a selector, under the
// Service's name and with its labels.
func (s *stage) service(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	wanted := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	service := &corev1.Service{}
	switch err := s.Get(ctx, key, service); {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, client.IgnoreNotFound(s.Delete(ctx, wanted))
	case err != nil:
		return reconcile.Result{}, err
	}
	if len(service.Spec.Selector) == 0 {
		return reconcile.Result{}, nil
	}
	if err := s.fill(ctx, wanted, service); err != nil {
		return reconcile.Result{}, err
	}
	there := &discoveryv1.EndpointSlice{}
	switch err := s.Get(ctx, key, there); {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, s.Create(ctx, wanted)
	case err != nil:
		return reconcile.Result{}, err
	case reflect.DeepEqual(there.Endpoints, wanted.Endpoints) && reflect.DeepEqual(there.Ports, wanted.Ports) && reflect.DeepEqual(there.Labels, wanted.Labels):
		return reconcile.Result{}, nil
	}
	wanted.ResourceVersion = there.ResourceVersion
	return reconcile.Result{}, s.Update(ctx, wanted)
}

func (s *stage) fill(ctx context.Context, slice *discoveryv1.EndpointSlice, service *corev1.Service) error {
	pods := &corev1.PodList{}
	if err := s.List(ctx, pods, client.InNamespace(service.Namespace), client.MatchingLabels(service.Spec.Selector)); err != nil {
		return err
	}
	sortByName(pods.Items)
	slice.AddressType = discoveryv1.AddressTypeIPv4
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: service.Name}
	maps.Copy(slice.Labels, service.Labels)
	for i := range service.Spec.Ports {
		slice.Ports = append(slice.Ports, endpointPort(&service.Spec.Ports[i], pods.Items))
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Status.PodIP == "" {
			continue
		}
		ready := isReady(pod)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{pod.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(ready), Serving: ptr.To(ready), Terminating: ptr.To(pod.DeletionTimestamp != nil)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	return nil
}

// endpointPort is where the pods listen, a named port being the same in all of
// them. A name that no container has has no number.
func endpointPort(port *corev1.ServicePort, pods []corev1.Pod) discoveryv1.EndpointPort {
	found := discoveryv1.EndpointPort{Name: &port.Name, Protocol: &port.Protocol, AppProtocol: port.AppProtocol}
	if number := port.TargetPort.IntVal; number != 0 {
		found.Port = &number
		return found
	}
	for i := range pods {
		for _, container := range pods[i].Spec.Containers {
			for _, c := range container.Ports {
				if c.Name == port.TargetPort.StrVal {
					found.Port = ptr.To(c.ContainerPort)
				}
			}
		}
	}
	return found
}

// servicesOf asks for the Services that select a pod.
func (s *stage) servicesOf(ctx context.Context, pod client.Object) []reconcile.Request {
	services := &corev1.ServiceList{}
	if err := s.List(ctx, services, client.InNamespace(pod.GetNamespace())); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range services.Items {
		if labels.SelectorFromSet(services.Items[i].Spec.Selector).Matches(labels.Set(pod.GetLabels())) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&services.Items[i])})
		}
	}
	return requests
}
