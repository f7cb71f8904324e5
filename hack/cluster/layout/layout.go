// Package layout says where the local cluster keeps its things and which
// names and addresses it uses. Everything lives below the checkout, and what
// must have a name outside of it (the network namespace, the cgroup) carries a
// short hash of the checkout's path, so that two checkouts can run a cluster
// each.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Addresses inside the cluster's network namespace. They are seen nowhere
// else, so every cluster can use the same ones.
const (
	NodeName     = "strata-node"
	NodeIP       = "10.244.0.1"
	NodeCIDR     = "10.244.0.1/24"
	PodCIDR      = "10.244.0.0/24"
	ServiceCIDR  = "10.96.0.0/16"
	APIServiceIP = "10.96.0.1"
	DNSServiceIP = "10.96.0.10"
	Bridge       = "strata0"
	// RegistryHost is the registry's name in image references, the same on the
	// node and, as a rule, on the host.
	RegistryHost = "127.0.0.1:5000"
	RegistryPort = 5000
	GatewayPort  = 80
	EtcdURL      = "http://127.0.0.1:2379"
)

// Layout holds the absolute paths of one checkout's cluster.
type Layout struct {
	// Root is the checkout: the directory that holds hack/cluster.
	Root string
	// ID is 8 hexadecimal digits derived from Root.
	ID string
}

// Find returns the layout of the checkout that holds dir.
func Find(dir string) (Layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, fmt.Errorf("find checkout: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "hack", "cluster", "go.mod")); err == nil {
			sum := sha256.Sum256([]byte(at))
			return Layout{Root: at, ID: hex.EncodeToString(sum[:4])}, nil
		}
		if at == filepath.Dir(at) {
			return Layout{}, errors.New("find checkout: no hack/cluster/go.mod in " + dir + " or above")
		}
	}
}

// Modules is the directory of the modules that programs are built from.
func (l Layout) Modules() string { return filepath.Join(l.Root, "hack", "cluster", "build") }

// Bin is the path of a built program, and with no name their directory.
func (l Layout) Bin(name string) string { return filepath.Join(l.Root, "bin", "cluster", name) }

// State is a path in the state directory, which only a running cluster has.
func (l Layout) State(elem ...string) string {
	return filepath.Join(append([]string{l.Root, ".cluster"}, elem...)...)
}

// Log is the log file of a process.
func (l Layout) Log(name string) string { return l.State("logs", name+".log") }

// Kubeconfig is the cluster administrator's, good on the host and on the node.
func (l Layout) Kubeconfig() string { return l.State("kubeconfig") }

// Netns is the name of the network namespace.
func (l Layout) Netns() string { return "strata-" + l.ID }

// NetnsPath is the file by which the network namespace is entered.
func (l Layout) NetnsPath() string { return "/run/netns/" + l.Netns() }

// Cgroup is the name of the cluster's cgroup, below the root of each hierarchy.
func (l Layout) Cgroup() string { return "strata-" + l.ID }

// Binds maps the directories that the kubelet and containerd have built in to
// the directories of this cluster that stand in for them. The node's processes
// see them so in a mount namespace of their own.
func (l Layout) Binds() map[string]string {
	return map[string]string{
		"/run/containerd":     l.State("containerd", "run"),
		"/var/lib/containerd": l.State("containerd", "lib"),
		"/var/lib/kubelet":    l.State("kubelet"),
		"/var/lib/cni":        l.State("cni", "lib"),
		"/var/log/pods":       l.State("logs", "pods"),
		"/var/log/containers": l.State("logs", "containers"),
	}
}

// SideDirs are directories that programs of the node make on the host, in
// places that they do not let anybody choose.
func (l Layout) SideDirs() []string {
	return []string{"/run/netns", "/run/mount", "/usr/libexec/kubernetes/kubelet-plugins/volume/exec"}
}
