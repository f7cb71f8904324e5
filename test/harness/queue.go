package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

const queueName = "queue"

// Queue makes a queue that is no part of any release: a pod and a Service.
func (e *Environment) Queue(namespace string) []client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: queueName, Labels: map[string]string{"app": queueName}}
	container := e.container("queue")
	container.ReadinessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}},
		PeriodSeconds: 1,
	}
	return []client.Object{
		&corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{Containers: []corev1.Container{container}, TerminationGracePeriodSeconds: ptr.To[int64](1)}},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
			Selector: meta.Labels,
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		}},
	}
}

// Worker adds a component without ports that takes items from the namespace's queue.
func (e *Environment) Worker(name string, replicas int32) ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Components = append(r.Spec.Components, v1alpha1.Component{
			Name: name, Replicas: replicas,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers:                    []corev1.Container{e.container("work", "--queue=http://"+queueName+"."+r.Namespace+".svc")},
				TerminationGracePeriodSeconds: ptr.To[int64](5),
			}},
		})
	}
}

// Taken is an item that somebody took from the queue.
type Taken struct {
	Item    int       `json:"item"`
	Version string    `json:"version"`
	Pod     string    `json:"pod"`
	Time    time.Time `json:"time"`
}

// Taken are all items that were taken from the queue, in order.
func (e *Environment) Taken(ctx context.Context, namespace string) ([]Taken, error) {
	clientset, err := kubernetes.NewForConfig(e.Config)
	if err != nil {
		return nil, fmt.Errorf("read the queue of %s: %w", namespace, err)
	}
	lines, err := clientset.CoreV1().Pods(namespace).GetLogs(queueName, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the queue of %s: %w", namespace, err)
	}
	var all []Taken
	for decoder := json.NewDecoder(bytes.NewReader(lines)); ; {
		var taken Taken
		err := decoder.Decode(&taken)
		switch {
		// The last line may be cut off.
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read the queue of %s: %w", namespace, err)
		}
		all = append(all, taken)
	}
}
