// Package process starts the cluster's long-running programs and finds them
// again later.
//
// A program is known by its pid together with the time it started and the boot
// it belongs to, written to a file. A pid alone is reused by the kernel, and
// nothing here must ever signal a process that it did not start.
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Spec describes a program to run in the background.
type Spec struct {
	Name string
	Args []string // Args[0] is an absolute path or found in PATH
	Env  []string // added to the caller's
	Log  string   // standard output and error are appended to it
	// Files are inherited as descriptors 3, 4, ...
	Files []*os.File
	// Unshare are the namespaces (CLONE_NEW*) that it gets of its own.
	Unshare uintptr
	// Cgroups are cgroup.procs files that it is entered in.
	Cgroups []string
}

// Record identifies a process started earlier.
type Record struct {
	Name       string `json:"name"`
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // clock ticks since boot
	BootID     string `json:"bootID"`
}

// Table is a directory with one record a process.
type Table struct{ Dir string }

// Start runs the program in a session of its own and records it.
func (t Table) Start(s Spec) (Record, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return Record{}, fmt.Errorf("start %s: %w", s.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, s.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Unshareflags: s.Unshare}
	if err := cmd.Start(); err != nil {
		return Record{}, fmt.Errorf("start %s: %w", s.Name, err)
	}
	go func() { _ = cmd.Wait() }() // no zombies while this program lives
	for _, procs := range s.Cgroups {
		if err := os.WriteFile(procs, []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			_ = cmd.Process.Kill()
			return Record{}, fmt.Errorf("start %s: enter cgroup: %w", s.Name, err)
		}
	}
	return t.record(s.Name, cmd.Process.Pid)
}

func (t Table) record(name string, pid int) (Record, error) {
	ticks, err := startTicks(pid)
	if err != nil {
		return Record{}, fmt.Errorf("start %s: it ended at once: %w", name, err)
	}
	r := Record{Name: name, PID: pid, StartTicks: ticks, BootID: bootID()}
	data, err := json.Marshal(r)
	if err != nil {
		return Record{}, fmt.Errorf("record %s: %w", name, err)
	}
	if err := os.WriteFile(t.path(name), data, 0o644); err != nil {
		return Record{}, fmt.Errorf("record %s: %w", name, err)
	}
	return r, nil
}

func (t Table) path(name string) string { return filepath.Join(t.Dir, name+".json") }

// Find returns the record of a program and whether it still runs.
func (t Table) Find(name string) (Record, bool) {
	var r Record
	data, err := os.ReadFile(t.path(name))
	if err != nil || json.Unmarshal(data, &r) != nil {
		return Record{}, false
	}
	return r, r.Running()
}

// Running says whether the very process that was recorded is alive.
func (r Record) Running() bool {
	ticks, err := startTicks(r.PID)
	return err == nil && ticks == r.StartTicks && r.BootID == bootID()
}

// Stop asks the program to end, waits up to grace, then kills it, and returns
// when it is gone. A program that does not run is no error.
func (t Table) Stop(ctx context.Context, name string, grace time.Duration) error {
	r, running := t.Find(name)
	if running {
		_ = syscall.Kill(r.PID, syscall.SIGTERM)
		if !r.waitGone(ctx, grace) {
			_ = syscall.Kill(r.PID, syscall.SIGKILL)
			if !r.waitGone(ctx, 10*time.Second) {
				return fmt.Errorf("stop %s: process %d does not end", name, r.PID)
			}
		}
	}
	if err := os.Remove(t.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	return nil
}

func (r Record) waitGone(ctx context.Context, limit time.Duration) bool {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for r.Running() {
		select {
		case <-ctx.Done():
			return false
		case <-timeout.C:
			return !r.Running()
		case <-tick.C:
		}
	}
	return true
}

// startTicks reads field 22 of /proc/PID/stat. A zombie counts as gone.
func startTicks(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command, in parentheses, may hold blanks: count from its end.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func bootID() string {
	data, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data))
}
