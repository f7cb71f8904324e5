package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/strata-release/strata/hack/cluster/node"
)

// Down ends the cluster and removes all that it made, but for its logs. A
// cluster that is not up, or half up, is no error.
func (c *Cluster) Down(ctx context.Context) error {
	start := time.Now()
	was := c.AgentRunning()
	if err := c.clear(ctx); err != nil {
		return err
	}
	if !was {
		fmt.Println("The cluster was not up; nothing of it is left.")
		return nil
	}
	fmt.Printf("The cluster is down, %.1fs. Its logs are in %s.\n", time.Since(start).Seconds(), relative(c.State("logs")))
	return nil
}

// clear does what Down says. Every step bears that there is nothing to do.
func (c *Cluster) clear(ctx context.Context) error {
	if err := c.Load(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	steps := []func(context.Context) error{
		c.stopPrograms,
		func(context.Context) error { return node.KillAll(c.Layout) },
		func(ctx context.Context) error { return node.NetworkDown(ctx, c.Layout) },
		func(context.Context) error { return node.CgroupsDown(c.Layout) },
		func(context.Context) error { return c.removeFiles() },
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	c.choices = Choices{}
	return nil
}

// stopPrograms ends programs last to first. The kubelet ends first, so that it
// starts nothing anew; then the containers, at once; the agent ends last, and
// with it the mount namespace and every mount that was made in it.
func (c *Cluster) stopPrograms(ctx context.Context) error {
	for _, p := range slices.Backward(c.programs()) {
		if err := c.Table.Stop(ctx, p.name, p.grace); err != nil {
			return err
		}
		if p.name == "kubelet" {
			if err := node.KillPods(c.Layout); err != nil {
				return err
			}
		}
	}
	return c.Table.Stop(ctx, agent, time.Second)
}

func (c *Cluster) removeFiles() error {
	if err := c.unmountLeft(); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.State())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove cluster state: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "logs" || e.Name() == "lock" {
			continue
		}
		if err := os.RemoveAll(c.State(e.Name())); err != nil {
			return fmt.Errorf("remove cluster state: %w", err)
		}
	}
	return c.leaveHostDirs()
}

// unmountLeft takes care that no mount is below the state directory before it
// is removed. There is none but after a fault: the node's are its own.
func (c *Cluster) unmountLeft() error {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) > 1 && strings.HasPrefix(f[1], c.State()+"/") {
			if err := syscall.Unmount(f[1], syscall.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", f[1], err)
			}
		}
	}
	return nil
}
