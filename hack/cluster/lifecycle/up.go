package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strata-release/strata/hack/cluster/binaries"
	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/node"
)

// Up brings the cluster up, or finds that it is up and starts again whatever
// of it has ended. It returns when pods, DNS and the gateway work.
func (c *Cluster) Up(ctx context.Context) error {
	if err := node.Preflight(ctx); err != nil {
		return err
	}
	if err := binaries.Build(ctx, c.Layout, os.Stdout, binaries.Local); err != nil {
		return err
	}
	if err := c.install(); err != nil {
		return err
	}
	start := time.Now()
	say := func(format string, args ...any) {
		fmt.Printf("%5.1fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
	if c.AgentRunning() {
		if err := c.Load(); err != nil {
			return err
		}
	} else if err := c.begin(ctx, say); err != nil {
		return err
	}
	procs, err := node.CgroupsUp(c.Layout)
	if err != nil {
		return err
	}
	before := len(c.ended()) == 0
	if err := c.untilHealthy(ctx, procs, say); err != nil {
		return err
	}
	c.explain(before)
	return nil
}

// install puts this very program beside those that it builds. Under `go run`
// it has no lasting place, and the cluster's processes need one.
func (c *Cluster) install() error {
	program, err := os.ReadFile(c.Program)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	c.Program = c.Bin("cluster")
	if have, err := os.ReadFile(c.Program); err == nil && bytes.Equal(have, program) {
		return nil
	}
	if err := os.WriteFile(c.Program+".new", program, 0o755); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	// A running program's file can be replaced, but not be written to.
	if err := os.Rename(c.Program+".new", c.Program); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// begin makes everything that programs need, the agent last. What a crash, an
// interrupted `up` or a boot left behind is cleared away first.
func (c *Cluster) begin(ctx context.Context, say func(string, ...any)) error {
	if err := c.clear(ctx); err != nil {
		return fmt.Errorf("clear what an earlier cluster left: %w", err)
	}
	if err := os.RemoveAll(c.State("logs")); err != nil {
		return fmt.Errorf("remove old logs: %w", err)
	}
	var listeners []net.Listener
	for _, p := range []struct {
		wanted int
		got    *int
	}{{6443, &c.choices.APIPort}, {layout.RegistryPort, &c.choices.RegistryPort}, {8000, &c.choices.GatewayPort}} {
		l, port, err := listen(p.wanted)
		if err != nil {
			return err
		}
		defer l.Close()
		listeners, *p.got = append(listeners, l), port
	}
	if err := c.makeDirs(); err != nil {
		return err
	}
	if err := c.save(); err != nil {
		return err
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	if err := node.NetworkUp(ctx, c.Layout); err != nil {
		return err
	}
	procs, err := node.CgroupsUp(c.Layout)
	if err != nil {
		return err
	}
	if err := c.startAgent(listeners, procs); err != nil {
		return err
	}
	say("network namespace %s, cgroup %s", c.Netns(), c.Layout.Cgroup())
	return nil
}

// untilHealthy starts programs, puts in images and add-ons, and waits for each
// part, in the order in which they depend on each other.
func (c *Cluster) untilHealthy(ctx context.Context, procs []string, say func(string, ...any)) error {
	v := c.values()
	start := func(clients bool) func(context.Context) error {
		return func(context.Context) error {
			started, err := c.startPrograms(procs, clients)
			if len(started) > 0 {
				say("started %s", strings.Join(started, ", "))
			}
			return err
		}
	}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"", start(false)},
		{"registry has the cluster's images", func(ctx context.Context) error { return c.pushImages(ctx, &v) }},
		{"API server ready", c.untilAPIReady},
		{"", start(true)},
		{"add-ons applied", func(ctx context.Context) error { return c.applyAddOns(ctx, v) }},
		{"node ready", c.untilNodeReady},
		{"DNS ready", c.untilDeployed("kube-system", "coredns")},
		{"gateway ready", c.untilGatewayReady},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted: `up` again goes on, `down` clears away")
			}
			if ended := c.ended(); len(ended) > 0 {
				err = fmt.Errorf("%w\nended: %s", err, strings.Join(ended, ", "))
			}
			return fmt.Errorf("not reached: %s: %w\nlogs are in %s", s.what, err, relative(c.State("logs")))
		}
		if s.what != "" {
			say("%s", s.what)
		}
	}
	return nil
}

func (c *Cluster) explain(was bool) {
	state := "The cluster is up."
	if was {
		state = "The cluster was up already, and is healthy."
	}
	fmt.Printf(`
%s
  kubectl   export KUBECONFIG=%s PATH=%s:$PATH
  gateway   http://127.0.0.1:%d (on the node http://%s), Gateway gateway/public
  registry  127.0.0.1:%d (in image references %s)
  on the node   %s run -- COMMAND
  logs          %s
`, state, c.Kubeconfig(), strings.TrimSuffix(c.Bin(""), "/"), c.choices.GatewayPort, layout.NodeIP,
		c.choices.RegistryPort, layout.RegistryHost, relative(c.Program), relative(c.State("logs")))
}

// relative shortens a path below the working directory.
func relative(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if r, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(r, "..") {
			return r
		}
	}
	return path
}
