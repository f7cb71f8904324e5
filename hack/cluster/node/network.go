// Package node makes the machine look like one Kubernetes node: a network
// namespace with the node's address, cgroups to keep pods in, a mount
// namespace for the paths that the kubelet and containerd have built in, and
// ports of the host's loopback that lead inside.
package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/strata-release/strata/hack/cluster/layout"
)

// Enter prefixes a command so that it runs inside the network namespace.
//
// `ip netns exec` would not do: it mounts /sys anew, which hides the cgroups
// from the kubelet.
func Enter(l layout.Layout, args ...string) []string {
	return append([]string{"nsenter", "--net=" + l.NetnsPath(), "--"}, args...)
}

// EnterMounts is Enter, in the mount namespace of process pid as well.
func EnterMounts(l layout.Layout, pid int, args ...string) []string {
	return append([]string{"nsenter", "--net=" + l.NetnsPath(), fmt.Sprintf("--mount=/proc/%d/ns/mnt", pid), "--"}, args...)
}

// NetworkUp makes the network namespace, or leaves it as it is.
func NetworkUp(ctx context.Context, l layout.Layout) error {
	if _, err := os.Stat(l.NetnsPath()); err == nil {
		if run(ctx, Enter(l, "ip", "addr", "show", "dev", layout.Bridge)...) == nil {
			return nil
		}
		// A boot empties the namespace but can leave its file.
		if err := NetworkDown(ctx, l); err != nil {
			return err
		}
	}
	if err := run(ctx, "ip", "netns", "add", l.Netns()); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	// The node's address is on the bridge that pods are attached to: a loopback
	// address is refused as a node's, and not every kernel has dummy links.
	script := strings.Join([]string{
		"ip link set lo up",
		"ip link add " + layout.Bridge + " type bridge",
		"ip addr add " + layout.NodeCIDR + " dev " + layout.Bridge,
		"ip link set " + layout.Bridge + " up",
		"ip route add default via " + layout.NodeIP + " dev " + layout.Bridge,
		"echo 1 > /proc/sys/net/ipv4/ip_forward",
		// Non-root gateways may listen on port 80.
		"echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start",
	}, " && ")
	if err := run(ctx, Enter(l, "sh", "-c", script)...); err != nil {
		return fmt.Errorf("set up network namespace: %w", err)
	}
	return nil
}

// NetworkDown removes the namespace and all that is in it.
func NetworkDown(ctx context.Context, l layout.Layout) error {
	if _, err := os.Lstat(l.NetnsPath()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := run(ctx, "ip", "netns", "del", l.Netns()); err != nil {
		// After a boot it is a plain file.
		if err2 := os.Remove(l.NetnsPath()); err2 != nil {
			return fmt.Errorf("remove network namespace: %w", err)
		}
	}
	return nil
}

// BridgeFiltered says whether packets between pods of one bridge pass the
// packet filter, without which answers to a Service's address go astray.
func BridgeFiltered() bool {
	_, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables")
	return err == nil
}

func run(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}
