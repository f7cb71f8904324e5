package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/test/stories/cluster"
)

// operator is one that runs.
type operator struct {
	process *exec.Cmd
	gone    chan error
	started time.Time
	// health is a URL, and serves the one of the server of its metrics.
	health, serves string
	// token is by whom its metrics are asked for; "": they are served to everybody.
	token string
}

// startOperator starts a program, whose log is in scratch. With a token it serves what it
// shows of itself to who may get that, profiles among it.
func startOperator(c *cluster.Cluster, scratch, program, token string, flags []string) (*operator, error) {
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
	collects, err := asDeployed(".")
	if err != nil {
		return nil, err
	}
	o := &operator{gone: make(chan error, 1), started: time.Now(), token: token, health: fmt.Sprintf("http://127.0.0.1:%d/readyz", ports[0])}
	shown := "--metrics-secure=false"
	if o.serves = fmt.Sprintf("http://127.0.0.1:%d", ports[1]); token != "" {
		shown, o.serves = "--debug-pages", fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	}
	o.process = exec.Command(program, append([]string{
		"--kubeconfig=" + kubeconfig, "--username=" + cluster.OperatorUser,
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", ports[0]),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", ports[1]), shown,
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", ports[2]),
	}, flags...)...)
	o.process.Env = append(os.Environ(), collects...)
	o.process.Stdout, o.process.Stderr = log, log
	if err := o.process.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	go func() { o.gone <- o.process.Wait() }()
	return o, nil
}

// asDeployed is how an operator collects its garbage in its Deployment, below the root of the
// source, whatever holds for the API server: an error where the limit of its memory does not reach its collector.
func asDeployed(root string) ([]string, error) {
	manifest, err := os.ReadFile(filepath.Join(root, "config", "manager", "manager.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the operator's Deployment: %w", err)
	}
	var manager appsv1.Deployment
	if err := yaml.Unmarshal(manifest, &manager); err != nil {
		return nil, fmt.Errorf("parse the operator's Deployment: %w", err)
	}
	for _, container := range manager.Spec.Template.Spec.Containers {
		limit := container.Resources.Limits.Memory()
		for _, e := range container.Env {
			if e.Name == "GOMEMLIMIT" && e.ValueFrom != nil && e.ValueFrom.ResourceFieldRef != nil && e.ValueFrom.ResourceFieldRef.Resource == "limits.memory" && !limit.IsZero() {
				return []string{"GOGC=", fmt.Sprintf("GOMEMLIMIT=%d", limit.Value())}, nil
			}
		}
	}
	return nil, errors.New("config/manager/manager.yaml has no container with a limit of memory that its GOMEMLIMIT is taken from")
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

// anyCertificate asks an operator that makes its certificate itself.
var anyCertificate = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is on this machine

// get is what the operator shows of itself under a path.
func (o *operator) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.serves+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the operator for %s: %w", path, err)
	}
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	response, err := anyCertificate.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the operator for %s: %w", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the operator for %s: %w", path, err)
	}
	return body, nil
}

// metric is the sum of the series of a metric that have a label; "" for all.
func (o *operator) metric(name, label string) (float64, error) {
	page, err := o.get(context.Background(), "/metrics")
	if err != nil {
		return 0, err
	}
	return sumOf(page, name, label)
}

// sumOf is the same of a page of metrics.
func sumOf(page []byte, name, label string) (float64, error) {
	sum, lines := 0.0, bufio.NewScanner(bytes.NewReader(page))
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

// cost is what an operator has used since it was started.
type cost struct {
	// cpu is of a processor, its own and the kernel's for it.
	cpu time.Duration
	// looks at tracks, and bytes that were allocated: counts, which say the same on any machine.
	looks, bytes float64
}

func (c cost) since(before cost) cost {
	return cost{c.cpu - before.cpu, c.looks - before.looks, c.bytes - before.bytes}
}

func (o *operator) cost() (cost, error) {
	seconds, err := o.metric("process_cpu_seconds_total", "")
	if err != nil {
		return cost{}, err
	}
	looks, err := o.metric("controller_runtime_reconcile_total", `controller="track"`)
	if err != nil {
		return cost{}, err
	}
	bytes, err := o.metric("go_memstats_alloc_bytes_total", "")
	return cost{time.Duration(seconds * float64(time.Second)), looks, bytes}, err
}

// memory is what is resident of an operator, in bytes: now, and at the most.
type memory struct {
	resident, peak int64
	// file is of it what was mapped of the program. The rest is told apart: objects have been
	// allocated and not been freed, scattered is free beside objects, kept is free and nobody's,
	// and own are stacks and what the runtime keeps itself.
	file, objects, scattered, kept, own int64
}

// parts are what it is made of, in words.
func (m memory) parts() string {
	return fmt.Sprintf("%s program, %s objects, %s free beside them, %s kept free, %s the runtime's own",
		mebibytes(m.file), mebibytes(m.objects), mebibytes(m.scattered), mebibytes(m.kept), mebibytes(m.own))
}

// memory reads what the kernel says of the process, and the runtime of its heap.
func (o *operator) memory() (memory, error) {
	var m memory
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return m, fmt.Errorf("read the operator's memory: %w", err)
	}
	of := map[string]*int64{"VmRSS": &m.resident, "VmHWM": &m.peak, "RssFile": &m.file}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if into, ok := of[name]; ok {
			kibibytes, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				return m, fmt.Errorf("read the operator's memory: %w", err)
			}
			*into = kibibytes << 10
			delete(of, name)
		}
	}
	if len(of) > 0 {
		return m, fmt.Errorf("/proc/%d/status has no %v", o.process.Process.Pid, slices.Sorted(maps.Keys(of)))
	}
	// All are of one moment: from another one, what is kept can come out below nothing.
	page, err := o.get(context.Background(), "/metrics")
	if err != nil {
		return m, err
	}
	var objects, inUse, idle, released float64
	for name, into := range map[string]*float64{"alloc": &objects, "inuse": &inUse, "idle": &idle, "released": &released} {
		if *into, err = sumOf(page, "go_memstats_heap_"+name+"_bytes", ""); err != nil {
			return m, err
		}
	}
	m.objects, m.scattered, m.kept = int64(objects), int64(inUse-objects), int64(idle-released)
	m.own = m.resident - m.file - int64(inUse) - m.kept
	return m, nil
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
