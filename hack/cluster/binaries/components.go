// Package binaries builds the programs of the local cluster from Go modules.
//
// Each heavy program has a module of its own below hack/cluster/build, with
// its versions pinned in go.mod and go.sum; nothing else is downloaded.
package binaries

import (
	"slices"
	"strings"
)

// Versions that are linked into programs; the modules' go.mod must agree.
const (
	kubernetesVersion = "v1.37.2"
	containerdVersion = "v2.4.2"
	traefikVersion    = "v3.6.12"
)

// Component is one program: where it comes from, and how it is built.
type Component struct {
	Name    string // file name below bin/cluster
	Module  string // directory below hack/cluster/build; empty: hack/cluster itself
	Package string
	LDFlags string
	Tags    string
	// Sets that it belongs to; none: the local cluster's.
	Sets []Set
}

// Set is a set of programs that are of use together.
type Set string

const (
	// Local are the programs of the local cluster.
	Local Set = ""
	// EnvTest are those that envtest runs.
	EnvTest Set = "envtest"
	// Bench are a control plane and kwok, whose nodes run no containers.
	Bench Set = "bench"
)

func (c Component) in(set Set) bool {
	return len(c.Sets) == 0 && set == Local || slices.Contains(c.Sets, set)
}

// Components lists every program, those of envtest first.
func Components() []Component {
	const component = "k8s.io/component-base/version"
	minor := strings.Split(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	kube := "-s -w -X " + component + ".gitVersion=" + kubernetesVersion +
		" -X " + component + ".gitMajor=" + minor[0] + " -X " + component + ".gitMinor=" + minor[1]
	runtime := "-s -w -X github.com/containerd/containerd/v2/version.Version=" + containerdVersion
	const stripped = "-s -w"
	everywhere := []Set{Local, EnvTest, Bench}
	list := []Component{
		{Name: "etcd", Module: "kubernetes", Package: "go.etcd.io/etcd/server/v3", LDFlags: kube, Sets: everywhere},
		{Name: "kube-apiserver", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kube-apiserver", LDFlags: kube, Sets: everywhere},
		{Name: "kubectl", Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/kubectl", LDFlags: kube, Sets: everywhere},
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		list = append(list, Component{Name: name, Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/" + name, LDFlags: kube, Sets: []Set{Local, Bench}})
	}
	for _, name := range []string{"kubelet", "kube-proxy"} {
		list = append(list, Component{Name: name, Module: "kubernetes", Package: "k8s.io/kubernetes/cmd/" + name, LDFlags: kube})
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		list = append(list, Component{
			Name: name, Module: "containerd", Package: "github.com/containerd/containerd/v2/cmd/" + name,
			LDFlags: runtime, Tags: "no_btrfs,no_devmapper,no_zfs",
		})
	}
	for _, plugin := range []string{"main/bridge", "main/loopback", "ipam/host-local", "meta/portmap"} {
		list = append(list, Component{
			Name: "cni/" + plugin[strings.IndexByte(plugin, '/')+1:], Module: "cni",
			Package: "github.com/containernetworking/plugins/plugins/" + plugin, LDFlags: stripped,
		})
	}
	return append(list,
		Component{Name: "coredns", Module: "coredns", Package: ".", LDFlags: stripped},
		Component{
			Name: "traefik", Module: "traefik", Package: "github.com/traefik/traefik/v3/cmd/traefik",
			LDFlags: "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=" + strings.TrimPrefix(traefikVersion, "v"),
		},
		Component{Name: "pause", Package: "./pause", LDFlags: stripped},
		Component{Name: "kwok", Module: "kwok", Package: "sigs.k8s.io/kwok/cmd/kwok", LDFlags: stripped, Sets: []Set{Bench}},
	)
}
