package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// packages maps the programs that are not built from Go modules to the Debian
// packages that hold them.
var packages = [][2]string{
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
	{"nft", "nftables"},
	{"runc", "runc"},
}

// capabilities are the bits of capabilities(7) that a node needs.
var capabilities = []struct {
	bit  uint
	name string
}{{12, "CAP_NET_ADMIN"}, {21, "CAP_SYS_ADMIN"}, {18, "CAP_SYS_CHROOT"}, {1, "CAP_DAC_OVERRIDE"}}

// MayRun says why this process may not bring a cluster up or down.
func MayRun() error {
	if os.Geteuid() != 0 {
		return errors.New("the local cluster makes network namespaces, cgroups and mounts, and so needs root: run it with sudo, or point KUBECONFIG at another cluster (kind, for example)")
	}
	return nil
}

// Preflight says all that this machine lacks to run a cluster, in one error.
// On Debian and its kin, missing packages are installed first.
func Preflight(ctx context.Context) error {
	var missing []string
	effective := effectiveCapabilities()
	for _, c := range capabilities {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, "the capability "+c.name)
		}
	}
	if _, err := hierarchies(); err != nil {
		missing = append(missing, "cgroups: "+err.Error())
	}
	if err := installPackages(ctx); err != nil {
		missing = append(missing, err.Error())
	}
	if len(missing) > 0 {
		return errors.New("this machine cannot run the local cluster; it lacks:\n  - " + strings.Join(missing, "\n  - "))
	}
	return nil
}

func installPackages(ctx context.Context) error {
	wanted := missingPackages()
	if len(wanted) == 0 {
		return nil
	}
	list := strings.Join(wanted, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("the programs of these Debian packages (install your system's equivalent): %s", list)
	}
	fmt.Println("installing Debian packages:", list)
	install := append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, wanted...)
	if run(ctx, install...) != nil {
		if err := run(ctx, "apt-get", "update"); err != nil {
			return fmt.Errorf("packages %s (apt-get update failed: %w)", list, err)
		}
		if err := run(ctx, install...); err != nil {
			return fmt.Errorf("packages %s (apt-get install failed: %w)", list, err)
		}
	}
	return nil
}

func missingPackages() []string {
	var names []string
	for _, p := range packages {
		if _, err := exec.LookPath(p[0]); err != nil {
			names = append(names, p[1])
		}
	}
	return names
}

func effectiveCapabilities() uint64 {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			bits, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return bits
		}
	}
	return 0
}

// MayAdjustOOM says whether containers may be given a lower out-of-memory
// score than this process has. Without the capability runc dies on trying.
func MayAdjustOOM() bool {
	return effectiveCapabilities()&(1<<24) != 0 // CAP_SYS_RESOURCE
}
