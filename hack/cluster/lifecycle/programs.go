package lifecycle

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/node"
	"github.com/strata-release/strata/hack/cluster/process"
)

// agent is the program whose life is the cluster's.
const agent = "agent"

// program is one of the cluster's long-running programs.
type program struct {
	name string
	args []string
	// inNode: it also needs the node's mount namespace.
	inNode bool
	// client: it is started when the API server answers and has its built-in
	// roles, and containerd listens; it would end at once before that.
	client bool
	// grace is how long it may take to end.
	grace time.Duration
}

// programs lists them in the order in which they are started; they end in the
// opposite one, so that the API server is gone before etcd is: it would hang
// at its end, waiting for it.
func (c *Cluster) programs() []program {
	port := strconv.Itoa(c.choices.APIPort)
	return []program{
		{name: "etcd", grace: 10 * time.Second, args: c.etcd()},
		{name: "registry", grace: time.Second, args: []string{
			c.Program, "--root", c.Root, "registry", "--listen", layout.RegistryHost, "--dir", c.State("registry"),
		}},
		{name: "kube-apiserver", grace: 20 * time.Second, args: c.apiServer(port)},
		{name: "containerd", inNode: true, grace: 10 * time.Second, args: []string{
			c.Bin("containerd"), "--config", c.State("config", "containerd.toml"),
		}},
		{name: "kube-controller-manager", client: true, grace: 5 * time.Second, args: c.controllerManager()},
		{name: "kube-scheduler", client: true, grace: 5 * time.Second, args: append([]string{
			c.Bin("kube-scheduler"), "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400", "--bind-address=127.0.0.1",
		}, c.kubeconfigs("kube-scheduler")...)},
		{name: "kube-proxy", client: true, grace: 5 * time.Second, args: []string{
			c.Bin("kube-proxy"), "--config=" + c.State("config", "kube-proxy.yaml"),
		}},
		{name: "kubelet", inNode: true, client: true, grace: 5 * time.Second, args: []string{
			c.Bin("kubelet"), "--config=" + c.State("config", "kubelet.yaml"), "--kubeconfig=" + c.State("config", "kubelet.kubeconfig"),
			"--hostname-override=" + layout.NodeName, "--node-ip=" + layout.NodeIP, "--v=2",
		}},
	}
}

func (c *Cluster) kubeconfigs(name string) []string {
	file := c.State("config", name+".kubeconfig")
	return []string{"--kubeconfig=" + file, "--authentication-kubeconfig=" + file, "--authorization-kubeconfig=" + file}
}

func (c *Cluster) etcd() []string {
	const peer = "http://127.0.0.1:2380"
	return []string{
		c.Bin("etcd"), "--name=local", "--data-dir=" + c.State("etcd"), "--log-level=warn",
		"--listen-client-urls=" + layout.EtcdURL, "--advertise-client-urls=" + layout.EtcdURL,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=local=" + peer,
		"--quota-backend-bytes=8589934592",
		"--unsafe-no-fsync", // the data does not outlive the cluster
	}
}

func (c *Cluster) apiServer(port string) []string {
	p := func(file string) string { return c.State("pki", file) }
	return []string{
		c.Bin("kube-apiserver"),
		"--advertise-address=" + layout.NodeIP, "--bind-address=0.0.0.0", "--secure-port=" + port,
		"--etcd-servers=" + layout.EtcdURL, "--service-cluster-ip-range=" + layout.ServiceCIDR,
		"--client-ca-file=" + p("ca.crt"), "--tls-cert-file=" + p("apiserver.crt"), "--tls-private-key-file=" + p("apiserver.key"),
		// The kubelet's name resolves nowhere: logs and exec go by its address.
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + p("ca.crt"),
		"--kubelet-client-certificate=" + p("apiserver-client.crt"), "--kubelet-client-key=" + p("apiserver-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p("service-account.crt"), "--service-account-signing-key-file=" + p("service-account.key"),
		"--requestheader-client-ca-file=" + p("ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p("front-proxy.crt"), "--proxy-client-key-file=" + p("front-proxy.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--audit-policy-file=" + c.State("config", "audit-policy.yaml"), "--audit-log-path=" + c.State("logs", "audit.log"),
		"--audit-log-maxsize=500", "--audit-log-maxbackup=2",
	}
}

func (c *Cluster) controllerManager() []string {
	return append([]string{
		c.Bin("kube-controller-manager"), "--use-service-account-credentials", "--leader-elect=false", "--bind-address=127.0.0.1",
		"--service-account-private-key-file=" + c.State("pki", "service-account.key"), "--root-ca-file=" + c.State("pki", "ca.crt"),
		"--cluster-signing-cert-file=" + c.State("pki", "ca.crt"), "--cluster-signing-key-file=" + c.State("pki", "ca.key"),
		"--kube-api-qps=200", "--kube-api-burst=400", "--horizontal-pod-autoscaler-sync-period=5s",
	}, c.kubeconfigs("kube-controller-manager")...)
}

// startPrograms starts those that do not run, either the clients of the API or
// the others, and returns their names.
func (c *Cluster) startPrograms(procs []string, clients bool) ([]string, error) {
	a, running := c.Table.Find(agent)
	if !running {
		return nil, fmt.Errorf("start programs: the node's agent has ended, see %s", c.Log(agent))
	}
	var started []string
	for _, p := range c.programs() {
		if _, running := c.Table.Find(p.name); running || p.client != clients {
			continue
		}
		args := node.Enter(c.Layout, p.args...)
		if p.inNode {
			args = node.EnterMounts(c.Layout, a.PID, p.args...)
		}
		_, err := c.Table.Start(process.Spec{
			Name: p.name, Args: args, Log: c.Log(p.name), Cgroups: procs,
			Env: []string{
				"PATH=" + c.Bin("") + ":" + os.Getenv("PATH"), // containerd looks for its shim there
				"GOGC=400", // memory is at hand, and the processors are few
			},
		})
		if err != nil {
			return nil, err
		}
		started = append(started, p.name)
	}
	return started, nil
}

// ended names the programs that should run and do not.
func (c *Cluster) ended() []string {
	var names []string
	for _, p := range c.programs() {
		if _, running := c.Table.Find(p.name); !running {
			names = append(names, p.name)
		}
	}
	return names
}

// startAgent starts the agent with the host's listeners and waits until the
// node's mounts are made.
func (c *Cluster) startAgent(listeners []net.Listener, procs []string) error {
	ready, told, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	defer ready.Close()
	files := []*os.File{told}
	for _, l := range listeners {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return fmt.Errorf("start agent: %w", err)
		}
		defer f.Close()
		files = append(files, f)
	}
	_, err = c.Table.Start(process.Spec{
		Name: agent, Log: c.Log(agent), Files: files, Cgroups: procs, Unshare: syscall.CLONE_NEWNS,
		Args: node.Enter(c.Layout, append([]string{c.Program, "--root", c.Root, agent}, c.forwardTargets()...)...),
	})
	_ = told.Close()
	if err != nil {
		return err
	}
	if n, err := ready.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("start agent: it failed, see %s (%w)", c.Log(agent), err)
	}
	return nil
}

// forwardTargets are the addresses in the network namespace that ports of the
// host's loopback lead to, in the order of Choices' ports.
func (c *Cluster) forwardTargets() []string {
	return []string{
		net.JoinHostPort("127.0.0.1", strconv.Itoa(c.choices.APIPort)),
		layout.RegistryHost,
		net.JoinHostPort(layout.NodeIP, strconv.Itoa(layout.GatewayPort)),
	}
}
