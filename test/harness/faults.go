package harness

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
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

// NewProbe is a Deployment of one pod that has nothing to do with Strata: it becomes
// available where the controllers, the scheduler and the kubelet do their work.
func (e *Environment) NewProbe(namespace string) *appsv1.Deployment {
	labels := map[string]string{"strata-story": "probe"}
	probe := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{e.container("serve")}}},
	}}
	probe.Namespace, probe.GenerateName = namespace, "probe-"
	return probe
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
