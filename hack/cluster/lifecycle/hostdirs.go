package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// hostRegister is where clusters of this machine tell each other that they
// use directories of the host: a file for each cluster, and the list of the
// directories that one of them made. Whoever leaves last removes them. Nobody
// may before: removing a directory takes away what is mounted on it in the
// mount namespace of another cluster.
const hostRegister = "/run/strata-clusters"

const madeDirs = "made.json"

// shareHostDirs makes the directories and notes that this cluster uses them.
func (c *Cluster) shareHostDirs(dirs []string) error {
	return c.withRegister(func() error {
		made, err := readMade()
		if err != nil {
			return err
		}
		slices.Sort(dirs)
		for _, dir := range dirs {
			made = append(made, missingParents(dir)...)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		data, err := json.Marshal(made)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(hostRegister, madeDirs), data, 0o644); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(hostRegister, c.ID), []byte(c.Root+"\n"), 0o644)
	})
}

// leaveHostDirs notes that this cluster uses them no more, and removes what
// was made if no other does.
func (c *Cluster) leaveHostDirs() error {
	if _, err := os.Stat(hostRegister); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.withRegister(func() error {
		if err := os.Remove(filepath.Join(hostRegister, c.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		users, err := os.ReadDir(hostRegister)
		if err != nil || slices.ContainsFunc(users, func(e os.DirEntry) bool { return e.Name() != madeDirs }) {
			return err
		}
		made, err := readMade()
		if err != nil {
			return err
		}
		for _, dir := range slices.Backward(made) {
			if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
				_ = syscall.Unmount(dir, syscall.MNT_DETACH) // `ip netns` mounts its directory on itself
			}
			_ = syscall.Rmdir(dir) // stays if somebody else uses it by now
		}
		return os.RemoveAll(hostRegister)
	})
}

// withRegister holds the register's lock meanwhile.
func (c *Cluster) withRegister(do func() error) error {
	if err := os.MkdirAll(hostRegister, 0o755); err != nil {
		return fmt.Errorf("register cluster: %w", err)
	}
	dir, err := os.Open(hostRegister)
	if err != nil {
		return fmt.Errorf("register cluster: %w", err)
	}
	defer dir.Close()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("register cluster: %w", err)
	}
	if err := do(); err != nil {
		return fmt.Errorf("register cluster: %w", err)
	}
	return nil
}

func readMade() ([]string, error) {
	data, err := os.ReadFile(filepath.Join(hostRegister, madeDirs))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var made []string
	if err == nil {
		err = json.Unmarshal(data, &made)
	}
	return made, err
}

// missingParents lists dir and those above it that do not exist, outer first.
func missingParents(dir string) []string {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	return append(missingParents(filepath.Dir(dir)), dir)
}
