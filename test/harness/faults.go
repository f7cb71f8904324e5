package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Patient is the environment with a client whose reads wait for an API server that is
// away, for a minute at the most. Its writes do not: whether one was carried out is for
// the caller to find out.
func (e *Environment) Patient() (*Environment, error) {
	config := rest.CopyConfig(e.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return patient{next} })
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	patiently := *e
	patiently.Client, patiently.Config = c, config
	return &patiently, nil
}

type patient struct{ next http.RoundTripper }

func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	for end := time.Now().Add(time.Minute); ; {
		response, err := p.next.RoundTrip(request)
		if request.Method != http.MethodGet || err == nil && !away(response) || time.Now().After(end) {
			return response, err
		}
		if response != nil {
			_, _ = io.Copy(io.Discard, response.Body) // a connection that breaks here is not used again
			response.Body.Close()
		}
		select {
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// away says whether an API server answers that is not whole: one that has just begun
// knows no kinds of CRDs, and says so in plain text.
func away(response *http.Response) bool {
	if response.StatusCode == http.StatusNotFound {
		kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
		return kind == "text/plain"
	}
	return response.StatusCode >= http.StatusInternalServerError
}

// LocalCluster is the program of the local cluster, by which its parts are ended and
// started again; "" where another cluster is used. STRATA_LOCAL_NETWORK is the network
// namespace that it runs in.
func LocalCluster() string { return os.Getenv("STRATA_LOCAL_CLUSTER") }

// StopProgram ends one program of the local cluster's node: etcd, kube-apiserver, kubelet, registry.
func StopProgram(ctx context.Context, name string) error { return localCluster(ctx, "stop", name) }

// StartPrograms starts those that have ended.
func StartPrograms(ctx context.Context) error { return localCluster(ctx, "up") }

// FreezeOperator stops a pod of the operator where it stands, as a machine does that is
// suspended: it hears nothing and says nothing until thaw, and does not know then that it
// was away. Of the local cluster, whose processes are this machine's.
func (e *Environment) FreezeOperator(ctx context.Context, name string) (thaw func() error, err error) {
	pod := &corev1.Pod{}
	if err := e.Client.Get(ctx, client.ObjectKey{Namespace: e.OperatorNamespace, Name: name}, pod); err != nil {
		return nil, fmt.Errorf("freeze operator pod %s: %w", name, err)
	}
	process, err := processOf(pod, "manager")
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := signal(process, syscall.SIGCONT); !errors.Is(err, syscall.ESRCH) { // it has ended
			return err
		}
		return nil
	}, signal(process, syscall.SIGSTOP)
}

// StepClock steps the clock of the operator that leads, ahead or back by the step that it was
// built with (test/stepped). Of the local cluster, whose processes are this machine's. An
// operator that was built otherwise ends by it.
func (e *Environment) StepClock(ctx context.Context, ahead bool) error {
	pods, err := e.operatorPods(ctx)
	if err != nil {
		return err
	}
	leader, err := e.Leader(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		if pods[i].Name != leader {
			continue
		}
		process, err := processOf(&pods[i], "manager")
		if err != nil {
			return err
		}
		if ahead {
			return signal(process, syscall.SIGUSR1)
		}
		return signal(process, syscall.SIGUSR2)
	}
	return fmt.Errorf("step the operator's clock: pod %s leads, and is not there", leader)
}

// signal tells it to a process.
func signal(process int, s syscall.Signal) error {
	if err := syscall.Kill(process, s); err != nil {
		return fmt.Errorf("signal %s to process %d: %w", s, process, err)
	}
	return nil
}

// processOf is the process of a pod that runs a program.
func processOf(pod *corev1.Pod, program string) (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, name := range names {
		// A process may end meanwhile; then it is not the one.
		comm, _ := os.ReadFile(name)
		groups, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cgroup"))
		if strings.TrimSpace(string(comm)) == program && bytes.Contains(groups, []byte(pod.UID)) {
			return strconv.Atoi(filepath.Base(filepath.Dir(name)))
		}
	}
	return 0, fmt.Errorf("pod %s/%s has no process %s on this machine", pod.Namespace, pod.Name, program)
}

// CutOffGateway loses all that the gateway and the API server send each other, until mend:
// requests go on by what the gateway knows, and it hears and reports nothing. Of the local
// cluster, whose gateway is on the node's network, as stories are.
func (e *Environment) CutOffGateway(ctx context.Context) (mend func() error, err error) {
	pods, server := &corev1.PodList{}, &corev1.Service{}
	if err := e.Client.List(ctx, pods, client.InNamespace(e.Gateway.Namespace)); err != nil {
		return nil, fmt.Errorf("list the gateway's pods: %w", err)
	}
	if len(pods.Items) != 1 || !pods.Items[0].Spec.HostNetwork {
		return nil, fmt.Errorf("namespace %s has %d pods, want one on the node's network", e.Gateway.Namespace, len(pods.Items))
	}
	if err := e.Client.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}, server); err != nil {
		return nil, fmt.Errorf("get the API server's Service: %w", err)
	}
	const table = "inet strata-story"
	// Nobody else on the node's network goes by the Service. Both ends send from here.
	rules := fmt.Sprintf("table %s { chain sent { type filter hook output priority 0; ct original ip saddr %s ct original ip daddr %s drop; }; }",
		table, pods.Items[0].Status.PodIP, server.Spec.ClusterIP)
	return func() error { return nft("add table " + table + "; delete table " + table) }, nft(rules)
}

func nft(rules string) error {
	// Whoever mends does so also when the story is over.
	if out, err := exec.Command("nft", rules).CombinedOutput(); err != nil {
		return fmt.Errorf("nft %s: %w: %s", rules, err, out)
	}
	return nil
}

// NewProbe is a Deployment of one pod, and what leads from the Gateway to it under a hostname,
// which have nothing to do with Strata. It becomes available where the controllers, the
// scheduler and the kubelet do their work, and answers where the gateway hears of what changes.
func (e *Environment) NewProbe(namespace, name, hostname string) []client.Object {
	labels := map[string]string{"strata-story": name}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	return []client.Object{
		&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{e.container("serve")}}},
		}},
		&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 8080}}}},
		&gatewayv1.HTTPRoute{ObjectMeta: meta, Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{
				Namespace: ptr.To(gatewayv1.Namespace(e.Gateway.Namespace)), Name: gatewayv1.ObjectName(e.Gateway.Name),
			}}},
			Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(hostname)},
			Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
				BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name), Port: ptr.To[gatewayv1.PortNumber](8080)},
			}}}}},
		}},
	}
}

// localCluster runs the program where it is meant to run: stories are told on the node's
// network, from which the programs' ports on the machine are not seen.
func localCluster(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + os.Getenv("STRATA_LOCAL_NETWORK"), "--", LocalCluster()}, args...)...)
	command.Dir = filepath.Dir(filepath.Dir(LocalCluster()))
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}
