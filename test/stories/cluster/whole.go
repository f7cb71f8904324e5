package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// nodes are how many kwok has.
const nodes = 10

// program is one of those that run beside the API server.
type program struct {
	command *exec.Cmd
	log     *os.File
	// gone is closed when it has ended.
	gone chan struct{}
}

// StartWhole starts a whole control plane: the API server with etcd, the real
// kube-controller-manager and kube-scheduler, and kwok, on whose nodes pods are ready at
// once, without containers. Gateways alone are played. Logs are in scratch. The programs are
// those of `cluster build --only bench`.
func StartWhole(ctx context.Context, repository, scratch string) (*Cluster, error) {
	assets, err := findAssets(repository)
	if err != nil {
		return nil, err
	}
	stages, err := kwokStages(assets, scratch)
	if err != nil {
		return nil, err
	}
	c, err := start(ctx, repository, scratch, []string{"gateway"})
	if err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name string
		user envtest.User
		args []string
	}{
		{"kube-controller-manager", envtest.User{Name: "system:kube-controller-manager"}, []string{
			"--use-service-account-credentials", "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000",
		}},
		{"kube-scheduler", envtest.User{Name: "system:kube-scheduler"}, []string{
			"--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000",
		}},
		{"kwok", envtest.User{Name: "kwok", Groups: []string{"system:masters"}}, []string{
			"--config=" + stages, "--manage-all-nodes", "--node-lease-duration-seconds=40", "--cidr=10.128.0.1/9", "--node-ip=10.1.0.1",
		}},
	} {
		if err := c.run(filepath.Join(assets, p.name), scratch, p.user, p.args...); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
	}
	for i := range nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("kwok-%d", i)}}
		if err := c.Client.Create(ctx, node); err != nil {
			return nil, errors.Join(fmt.Errorf("create node %s: %w", node.Name, err), c.Stop())
		}
	}
	return c, nil
}

// kwokStages writes into one file how kwok's nodes and pods live.
func kwokStages(assets, scratch string) (string, error) {
	files, err := filepath.Glob(filepath.Join(assets, "kwok-stages", "*.yaml"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("%s has no stages of kwok: `make bench` builds what it needs: %w", assets, err)
	}
	var all bytes.Buffer
	for _, file := range files {
		stage, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read a stage of kwok: %w", err)
		}
		fmt.Fprintf(&all, "---\n%s\n", stage)
	}
	path := filepath.Join(scratch, "kwok.yaml")
	return path, os.WriteFile(path, all.Bytes(), 0o600)
}

// run starts a program as a user of the API server.
func (c *Cluster) run(path, scratch string, user envtest.User, args ...string) error {
	name := filepath.Base(path)
	known, err := c.environment.AddUser(user, c.Config)
	if err != nil {
		return fmt.Errorf("add the user of %s: %w", name, err)
	}
	kubeconfig, err := known.KubeConfig()
	if err != nil {
		return fmt.Errorf("make the kubeconfig of %s: %w", name, err)
	}
	file := filepath.Join(scratch, name+".kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", name, err)
	}
	log, err := os.Create(filepath.Join(scratch, name+".log"))
	if err != nil {
		return fmt.Errorf("make the log of %s: %w", name, err)
	}
	p := &program{command: exec.Command(path, append([]string{"--kubeconfig=" + file}, args...)...), log: log, gone: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}
	go func() {
		_ = p.command.Wait() // The log says why it ended.
		close(p.gone)
	}()
	c.programs = append(c.programs, p)
	return nil
}

// Ended is an error where a program has ended by itself: nil while all run.
func (c *Cluster) Ended() error {
	for _, p := range c.programs {
		select {
		case <-p.gone:
			return fmt.Errorf("%s has ended: see %s", filepath.Base(p.command.Path), p.log.Name())
		default:
		}
	}
	return nil
}

// stop ends a program; how it ends is of no interest.
func (p *program) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.command.Path, err)
	}
	select {
	case <-p.gone:
	case <-time.After(10 * time.Second):
		_ = p.command.Process.Kill() // It may have ended just now.
		<-p.gone
	}
	return p.log.Close()
}
