package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/strata-release/strata/test/stories/cluster"
)

// operator is one that runs.
type operator struct {
	process *exec.Cmd
	gone    chan error
	started time.Time
	// URLs of its servers.
	health, metrics string
}

// startOperator starts a program, whose log is in scratch.
func startOperator(c *cluster.Cluster, scratch, program string, flags []string) (*operator, error) {
	content, err := c.OperatorKubeconfig()
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(scratch, "operator.kubeconfig")
	if err := os.WriteFile(kubeconfig, content, 0o600); err != nil {
		return nil, err
	}
	var ports [3]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(filepath.Join(scratch, "operator.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	o := &operator{gone: make(chan error, 1), started: time.Now(), health: fmt.Sprintf("http://127.0.0.1:%d/readyz", ports[0]), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[1])}
	o.process = exec.Command(program, append([]string{
		"--kubeconfig=" + kubeconfig, "--username=" + cluster.OperatorUser,
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", ports[0]),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", ports[1]), "--metrics-secure=false",
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", ports[2]),
	}, flags...)...)
	// Garbage is collected as in its Deployment, whatever holds for the API server.
	o.process.Env = append(os.Environ(), "GOGC=")
	o.process.Stdout, o.process.Stderr = log, log
	if err := o.process.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	go func() { o.gone <- o.process.Wait() }()
	return o, nil
}

// untilReady waits until it answers admission requests, its caches being filled.
func (o *operator) untilReady(ctx context.Context) error {
	return until(ctx, 3*time.Minute, 50*time.Millisecond, "the operator is ready", func() (bool, error) {
		select {
		case err := <-o.gone:
			return false, fmt.Errorf("the operator has ended: %w", err)
		default:
		}
		ready := false
		if response, err := http.Get(o.health); err == nil { // Else it does not listen yet.
			response.Body.Close()
			ready = response.StatusCode == http.StatusOK
		}
		return ready, nil
	})
}

// stop ends it as a kubelet does; it hands its Lease over.
func (o *operator) stop() error {
	if err := o.process.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("end the operator: %w", err)
	}
	if err := <-o.gone; err != nil {
		return fmt.Errorf("the operator ended: %w", err)
	}
	return nil
}

// metric is the sum of the series of a metric that have a label; "" for all.
func (o *operator) metric(name, label string) (float64, error) {
	response, err := http.Get(o.metrics)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	sum, lines := 0.0, bufio.NewScanner(response.Body)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if rest, ok := strings.CutPrefix(series, name); !ok || rest != "" && rest[0] != '{' || !strings.Contains(rest, label) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("read metric %s: %w", lines.Text(), err)
		}
		sum += n
	}
	return sum, lines.Err()
}

// cpu is what it has used of a processor so far, its own and the kernel's for it.
func (o *operator) cpu() (time.Duration, error) {
	seconds, err := o.metric("process_cpu_seconds_total", "")
	return time.Duration(seconds * float64(time.Second)), err
}

// memory that is resident, now or at the most, in bytes.
func (o *operator) memory(which string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the operator's memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, which+":"); ok {
			kibibytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", o.process.Process.Pid, which)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// until asks until something holds; an error ends it, as the limit does.
func until(ctx context.Context, limit, every time.Duration, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if held, err := holds(); held || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s: %w", limit, what, ctx.Err())
		case <-time.After(every):
		}
	}
}
