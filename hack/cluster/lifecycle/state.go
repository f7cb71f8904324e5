// Package lifecycle brings the local cluster up and down.
//
//	up:   preflight -> build -> (clear what a crash or a boot left) -> files
//	      -> network, cgroups -> agent -> programs -> images -> add-ons -> healthy
//	down: kubelet -> containers -> runtime -> control plane -> agent -> network,
//	      cgroups, files
//
// The agent's life is the cluster's: it is started after all files are written
// and ended after all other programs. So `up` that finds it alive only starts
// programs that are missing, and `up` that does not clears everything first.
package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/process"
)

// Choices is what one run of the cluster decided and `down` must know.
type Choices struct {
	// Ports of the host's loopback.
	APIPort      int `json:"apiPort"`
	RegistryPort int `json:"registryPort"`
	GatewayPort  int `json:"gatewayPort"`
}

// Cluster is the cluster of one checkout.
type Cluster struct {
	layout.Layout
	Table process.Table
	// Program is the path of this program, which some of the cluster's
	// processes run as well.
	Program string
	choices Choices
}

// Open returns the cluster of a checkout, up or not.
func Open(l layout.Layout) (*Cluster, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	return &Cluster{Layout: l, Program: program, Table: process.Table{Dir: l.State("processes")}}, nil
}

// Lock makes sure that one command at a time changes the cluster.
func (c *Cluster) Lock() (unlock func(), err error) {
	if err := os.MkdirAll(c.State(), 0o755); err != nil {
		return nil, fmt.Errorf("lock cluster: %w", err)
	}
	f, err := os.OpenFile(c.State("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock cluster: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		fmt.Println("waiting for another command on this cluster to end")
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock cluster: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// Load reads the state of a cluster that is up.
func (c *Cluster) Load() error {
	data, err := os.ReadFile(c.State("state.json"))
	if err != nil {
		return fmt.Errorf("read cluster state: %w", err)
	}
	if err := json.Unmarshal(data, &c.choices); err != nil {
		return fmt.Errorf("read cluster state: %w", err)
	}
	return nil
}

func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c.choices, "", "  ")
	if err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	if err := os.WriteFile(c.State("state.json"), data, 0o644); err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	return nil
}

// AgentRunning says whether the cluster is up, though perhaps not healthy.
func (c *Cluster) AgentRunning() bool {
	_, running := c.Table.Find(agent)
	return running
}

// makeDirs makes the cluster's directories, and those outside of the checkout
// that it needs.
func (c *Cluster) makeDirs() error {
	for _, dir := range []string{"processes", "pki", "config/cni", "etcd", "registry", "logs"} {
		if err := os.MkdirAll(c.State(dir), 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	targets := c.SideDirs()
	for target, source := range c.Binds() {
		targets = append(targets, target)
		if err := os.MkdirAll(source, 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	return c.shareHostDirs(targets)
}

// listen takes a port of the host's loopback: the wanted one, or else the next
// that is free, so that the clusters of two checkouts can run side by side.
func listen(wanted int) (net.Listener, int, error) {
	var last error
	for port := wanted; port < wanted+50; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return l, port, nil
		}
		last = err
	}
	return nil, 0, fmt.Errorf("find a free port from %d: %w", wanted, last)
}
