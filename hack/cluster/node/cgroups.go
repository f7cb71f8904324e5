package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/strata-release/strata/hack/cluster/layout"
)

const cgroupRoot = "/sys/fs/cgroup"

// systemGroup holds the cluster's own programs; pods are beside it.
const systemGroup = "system"

// Unified says whether the machine has cgroup v2 only.
func Unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

// hierarchies lists the mounted hierarchies that pods are put in: the one of
// cgroup v2, or each of v1. Beside those of v1 there can be one of v2 without
// controllers, and the container runtime uses it too.
func hierarchies() ([]string, error) {
	if Unified() {
		return []string{cgroupRoot}, nil
	}
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	var dirs []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") {
			dirs = append(dirs, f[1])
		}
	}
	if len(dirs) == 0 {
		return nil, errors.New("list cgroup hierarchies: none is mounted below " + cgroupRoot)
	}
	return dirs, nil
}

// CgroupsUp makes the cluster's cgroup in every hierarchy and returns the
// files by which programs are entered in it. Programs are only entered in the
// hierarchy that counts processes, for `down` to find them: their memory and
// cpu stay accounted where the caller's are.
func CgroupsUp(l layout.Layout) ([]string, error) {
	dirs, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var procs []string
	for _, dir := range dirs {
		group := filepath.Join(dir, l.Cgroup())
		if err := os.MkdirAll(group, 0o755); err != nil {
			return nil, fmt.Errorf("make cgroup: %w", err)
		}
		if err := prepare(dir, group); err != nil {
			return nil, fmt.Errorf("make cgroup %s: %w", group, err)
		}
		if Unified() || filepath.Base(dir) == "pids" {
			system := filepath.Join(group, systemGroup)
			if err := os.MkdirAll(system, 0o755); err != nil {
				return nil, fmt.Errorf("make cgroup: %w", err)
			}
			procs = append(procs, filepath.Join(system, "cgroup.procs"))
		}
	}
	if len(procs) == 0 {
		return nil, errors.New("make cgroup: there is no pids hierarchy")
	}
	return procs, nil
}

// podShares is what all pods together weigh, in v1, where one process weighs 1024: what
// the cluster's own programs, which are beside them and not in a group, weigh together.
const podShares = "8192"

// prepare fills in what a new cgroup does not inherit: in v1 the cpus, the memory nodes
// and its share of them, in v2 the controllers of its children.
func prepare(parent, group string) error {
	if Unified() {
		for _, dir := range []string{parent, group} {
			data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
			if err != nil {
				return err
			}
			enable := "+" + strings.Join(strings.Fields(string(data)), " +")
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(enable), 0); err != nil {
				return fmt.Errorf("enable controllers: %w", err)
			}
		}
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		data, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(group, file), data, 0); err != nil {
			return err
		}
	}
	shares := filepath.Join(group, "cpu.shares")
	if _, err := os.Stat(shares); errors.Is(err, os.ErrNotExist) {
		return nil // another controller's
	}
	return os.WriteFile(shares, []byte(podShares), 0)
}

// KillPods ends every process of every container at once.
func KillPods(l layout.Layout) error { return kill(l, "kubepods") }

// KillAll ends whatever is left of the cluster, its programs included.
func KillAll(l layout.Layout) error { return kill(l, "") }

// kill sends SIGKILL to all members of a subtree of the cluster's cgroups
// until there are none. Membership is proof enough that a process is ours.
func kill(l layout.Layout, subtree string) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		pids, err := members(l, subtree)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("end processes of cgroup %s: %v still run", l.Cgroup(), pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func members(l layout.Layout, subtree string) ([]int, error) {
	dirs, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		for _, group := range groups(filepath.Join(dir, l.Cgroup(), subtree)) {
			data, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			for _, field := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 1 && !zombie(pid) {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids, nil
}

func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(data), ") Z ")
}

// CgroupsDown removes the cluster's cgroups, which must be empty.
func CgroupsDown(l layout.Layout) error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		all := groups(filepath.Join(dir, l.Cgroup()))
		for i := len(all) - 1; i >= 0; i-- { // children before parents
			if err := removeGroup(all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeGroup tries for a moment: the kernel lets go of a group a little after
// its last process has ended.
func removeGroup(dir string) error {
	for try := 0; ; try++ {
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if try == 100 {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// groups lists a cgroup and all below it, parents first.
func groups(dir string) []string {
	var all []string
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	return all
}
