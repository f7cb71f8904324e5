package upgrade

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/test/stories/cluster"
)

// operator is one that runs.
type operator struct {
	process *exec.Cmd
	ended   chan error
	log     log
	// URLs of its servers.
	health, metrics string
}

// start starts a program. It leads once no other does.
func start(program string) *operator {
	GinkgoHelper()
	health, metrics, webhook := freePort(), freePort(), freePort()
	o := &operator{ended: make(chan error, 1), health: fmt.Sprintf("http://127.0.0.1:%d/readyz", health), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics)}
	o.process = exec.Command(program,
		"--kubeconfig="+kubeconfig, "--username="+cluster.OperatorUser, "--kube-api-qps=500", "--kube-api-burst=1000",
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", metrics), "--metrics-secure=false",
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", webhook))
	o.process.Stdout, o.process.Stderr = &o.log, &o.log
	Expect(o.process.Start()).To(Succeed())
	go func() { o.ended <- o.process.Wait() }()
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(o.log.tail())
		}
		_ = o.process.Process.Kill() // It may have ended.
	})
	Eventually(o.ready).Should(BeTrue(), o.log.tail)
	return o
}

func (o *operator) ready() bool {
	response, err := http.Get(o.health)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// stop ends it as a kubelet does; it hands its lease over.
func (o *operator) stop() {
	GinkgoHelper()
	Expect(o.process.Process.Signal(os.Interrupt)).To(Succeed())
	Eventually(o.ended).Should(Receive(BeNil()), o.log.tail)
}

// replace an operator by another program as a Deployment does: that is ready before the
// first one ends.
func (o *operator) replace(program string) *operator {
	GinkgoHelper()
	next := start(program)
	o.stop()
	return next
}

// metric is the sum of the series of a metric that have a label.
func (o *operator) metric(name, label string) float64 {
	GinkgoHelper()
	response, err := http.Get(o.metrics)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	sum, lines := 0.0, bufio.NewScanner(response.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		if strings.HasPrefix(series, name+"{") && strings.Contains(series, label) {
			n, err := strconv.ParseFloat(value, 64)
			Expect(err).NotTo(HaveOccurred(), lines.Text())
			sum += n
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return sum
}

// leads waits until it has looked at so many tracks, and none waits.
func (o *operator) leads(tracks int) {
	GinkgoHelper()
	const track = `controller="track"`
	Eventually(func(g Gomega) {
		g.Expect(o.metric("controller_runtime_reconcile_total", track)).To(BeNumerically(">=", tracks))
		g.Expect(o.metric("workqueue_depth", track)).To(BeZero())
	}).WithTimeout(2*time.Minute).Should(Succeed(), o.log.tail)
}

// reads is how often it has asked the API server.
func (o *operator) reads() float64 { return o.metric("rest_client_requests_total", `method="GET"`) }

// log is what a program has said so far.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// tail is the end of it.
func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	return text[max(0, len(text)-10_000):]
}

func freePort() int {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func keyOf(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}
