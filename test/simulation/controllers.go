package simulation

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// controller is one of the cluster's own.
type controller int

const (
	deployment controller = iota
	autoscaler
	kubelet
	endpoints
	job
	gateway
	ingressController
	garbage
)

// task is an object that a controller has to look at.
type task struct {
	controller controller
	name       string
	due        time.Time
}

// do asks a controller to look at an object, once.
func (w *World) do(c controller, name string, due time.Time) {
	for i := range w.tasks {
		if t := &w.tasks[i]; t.controller == c && t.name == name {
			if due.Before(t.due) {
				t.due = due
			}
			return
		}
	}
	w.tasks = append(w.tasks, task{c, name, due})
}

// control lets some controller do one thing that is due; false: none is. In a fair
// world it is the oldest.
func (w *World) control() bool {
	var due []int
	for i := range w.tasks {
		if !w.tasks[i].due.After(w.Now) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return false
	}
	chosen := due[0]
	if !w.fair {
		chosen = due[w.draw(len(due))]
	}
	t := w.tasks[chosen]
	w.tasks = slices.Delete(w.tasks, chosen, chosen+1)
	w.noteTraffic()
	switch t.controller {
	case deployment:
		w.playDeployment(t.name)
	case autoscaler:
		w.playAutoscaler(t.name)
	case kubelet:
		w.playPod(t.name)
	case endpoints:
		w.playService(t.name)
	case job:
		w.playJob(t.name)
	case gateway:
		w.playRoute(t.name)
	case ingressController:
		w.playIngress(t.name)
	case garbage:
		w.collect()
	}
	w.noteTraffic()
	return true
}

// wakeControllers asks those whom a change concerns.
func (w *World) wakeControllers(k kind, c change) {
	name := c.object().GetName()
	switch o := c.object().(type) {
	case *appsv1.Deployment:
		w.do(deployment, name, w.Now)
		if w.shelves[autoscalers].get(name) != nil && (c.before == nil || c.before.GetGeneration() != o.Generation) {
			w.do(autoscaler, name, w.Now)
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		w.do(autoscaler, name, w.Now)
	case *batchv1.Job:
		w.do(job, name, w.Now)
	case *corev1.Service:
		w.do(endpoints, name, w.Now)
		if c.before == nil || c.after == nil {
			w.wakeGateway()
		}
	case *corev1.Pod:
		w.wakeForPod(o)
	case *gatewayv1.HTTPRoute:
		if c.before == nil || c.after == nil || c.before.GetGeneration() != c.after.GetGeneration() {
			w.do(gateway, name, w.Now.Add(w.routerDelay))
		}
	case *unstructured.Unstructured:
		w.tellLegs()
	case *networkingv1.Ingress:
		if byALB(o) {
			w.tellALB()
		} else {
			w.tellEdge()
		}
		if c.before == nil {
			w.do(ingressController, name, w.Now.Add(w.routerDelay))
		}
	}
	if w.leavesGarbage(k, c) {
		w.do(garbage, "", w.Now)
	}
}

func (w *World) leavesGarbage(k kind, c change) bool {
	if c.after == nil {
		return k == releases || k == deployments || k == jobs
	}
	return (c.before == nil || len(c.before.GetOwnerReferences()) == 0) && w.orphaned(c.after)
}

// wakeForPod: its Deployment counts it, and so do the Services that select it.
func (w *World) wakeForPod(pod *corev1.Pod) {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.Kind == "Deployment" {
		w.do(deployment, owner.Name, w.Now)
	}
	for _, s := range each[corev1.Service](&w.store, services) {
		if len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			w.do(endpoints, s.Name, w.Now)
		}
	}
}

// wakeGateway: what routes refer to has come or gone, or the gateway has.
func (w *World) wakeGateway() {
	for _, object := range w.shelves[httpRoutes] {
		w.do(gateway, object.GetName(), w.Now)
	}
}

// collect removes what has lost its owner.
func (w *World) collect() {
	for k := range kinds {
		for _, object := range slices.Clone(w.shelves[k]) {
			if w.orphaned(object) {
				w.tell("~ garbage: %s %s", k, object.GetName())
				w.mustRemove(k, object.GetName())
			}
		}
	}
}
