package lifecycle

import (
	"bytes"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"text/template"

	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/node"
	"github.com/strata-release/strata/hack/cluster/pki"
)

//go:embed manifests
var manifests embed.FS

// values are what the files of manifests/ are filled in with.
type values struct {
	State, Bin, Cgroup                      string
	NodeName, NodeIP, PodCIDR, DNSServiceIP string
	Bridge, RegistryHost                    string
	GatewayPort                             int
	BridgeFiltered, RestrictOOM             bool
	PauseImage, CoreDNSImage, TraefikImage  string
}

func (c *Cluster) values() values {
	return values{
		State: c.State(), Bin: c.Bin(""), Cgroup: c.Cgroup(),
		NodeName: layout.NodeName, NodeIP: layout.NodeIP, PodCIDR: layout.PodCIDR, DNSServiceIP: layout.DNSServiceIP,
		Bridge: layout.Bridge, RegistryHost: layout.RegistryHost, GatewayPort: layout.GatewayPort,
		BridgeFiltered: node.BridgeFiltered(), RestrictOOM: !node.MayAdjustOOM(),
		PauseImage: layout.RegistryHost + "/cluster/pause:local",
	}
}

func render(name string, v values) ([]byte, error) {
	t, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// writeFiles writes every certificate, kubeconfig and configuration file.
func (c *Cluster) writeFiles() error {
	if err := c.writeIdentities(); err != nil {
		return err
	}
	v := c.values()
	for source, target := range map[string]string{
		"audit-policy.yaml":   "audit-policy.yaml",
		"kubelet.yaml":        "kubelet.yaml",
		"kube-proxy.yaml":     "kube-proxy.yaml",
		"containerd.toml":     "containerd.toml",
		"cni.conflist":        "cni/10-strata.conflist",
		"registry-hosts.toml": "registries/" + layout.RegistryHost + "/hosts.toml",
	} {
		data, err := render(source, v)
		if err != nil {
			return err
		}
		path := c.State("config", target)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", target, err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", target, err)
		}
	}
	resolv := "nameserver " + layout.DNSServiceIP + "\n"
	if err := os.WriteFile(c.State("config", "resolv.conf"), []byte(resolv), 0o644); err != nil {
		return fmt.Errorf("write resolv.conf: %w", err)
	}
	return nil
}

func (c *Cluster) writeIdentities() error {
	ca, err := pki.NewAuthority(c.State("pki"))
	if err != nil {
		return err
	}
	for name, s := range map[string]pki.Subject{
		"apiserver": {CommonName: "kube-apiserver", Hosts: []string{
			"127.0.0.1", "localhost", layout.NodeIP, layout.APIServiceIP, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		"kubelet-server":   {CommonName: "system:node:" + layout.NodeName, Hosts: []string{layout.NodeIP, layout.NodeName}},
		"apiserver-client": {CommonName: "kube-apiserver-kubelet-client", Organizations: []string{"system:masters"}},
		"front-proxy":      {CommonName: "front-proxy-client"},
		"service-account":  {CommonName: "service-accounts"},
	} {
		if err := ca.Issue(name, s); err != nil {
			return err
		}
	}
	server := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(c.choices.APIPort))
	for name, s := range map[string]pki.Subject{
		"admin":                   {CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
		"kube-proxy":              {CommonName: "system:kube-proxy"},
		"kubelet":                 {CommonName: "system:node:" + layout.NodeName, Organizations: []string{"system:nodes"}},
	} {
		if err := ca.Issue(name, s); err != nil {
			return err
		}
		path := c.State("config", name+".kubeconfig")
		if name == "admin" {
			path = c.Kubeconfig()
		}
		if err := ca.Kubeconfig(path, name, server); err != nil {
			return err
		}
	}
	return nil
}
