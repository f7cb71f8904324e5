package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/strata-release/strata/hack/cluster/image"
	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/lifecycle"
	"github.com/strata-release/strata/hack/cluster/node"
)

var verbs = map[string]func(context.Context, layout.Layout, []string) error{
	"up":   locked((*lifecycle.Cluster).Up),
	"down": locked((*lifecycle.Cluster).Down),
	"status": func(ctx context.Context, l layout.Layout, _ []string) error {
		c, err := lifecycle.Open(l)
		if err != nil {
			return err
		}
		return c.Status(ctx)
	},
	"stop":     stopProgram,
	"run":      run,
	"push":     push,
	"agent":    runAgent,
	"registry": runRegistry,
}

// locked makes a verb of something that changes the cluster.
func locked(do func(*lifecycle.Cluster, context.Context) error) func(context.Context, layout.Layout, []string) error {
	return func(ctx context.Context, l layout.Layout, _ []string) error {
		if err := node.MayRun(); err != nil {
			return err
		}
		c, err := lifecycle.Open(l)
		if err != nil {
			return err
		}
		unlock, err := c.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		return do(c, ctx)
	}
}

func stopProgram(ctx context.Context, l layout.Layout, args []string) error {
	if len(args) != 1 {
		return errors.New("stop: name one program")
	}
	return locked(func(c *lifecycle.Cluster, ctx context.Context) error { return c.Stop(ctx, args[0]) })(ctx, l, nil)
}

// run becomes the command, inside the node's network namespace.
func run(_ context.Context, l layout.Layout, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("run: no command given")
	}
	c, err := lifecycle.Open(l)
	if err != nil {
		return err
	}
	if !c.AgentRunning() {
		return errors.New("run: the cluster is not up")
	}
	inside := node.Enter(l, args...)
	program, err := exec.LookPath(inside[0])
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	for name, value := range map[string]string{
		"KUBECONFIG": l.Kubeconfig(),
		"PATH":       strings.TrimSuffix(l.Bin(""), "/") + ":" + os.Getenv("PATH"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("run: %w", err)
		}
	}
	return fmt.Errorf("run %s: %w", program, syscall.Exec(program, inside, os.Environ()))
}

// push makes an image from a static binary and prints its reference, name and
// digest, on a line of its own.
func push(ctx context.Context, l layout.Layout, args []string) error {
	flags := flag.NewFlagSet("push", flag.ExitOnError)
	name := flags.String("name", "", "repository in the registry")
	tag := flags.String("tag", "latest", "tag")
	binary := flags.String("binary", "", "static binary; it becomes the entrypoint /NAME-OF-THE-FILE")
	entrypoint := flags.String("entrypoint", "", "path of the binary in the image")
	user := flags.String("user", image.NonRoot, "user and group")
	registry := flags.String("registry", "", "host:port of another registry than the cluster's")
	var files, env list
	flags.Var(&files, "file", "FILE:/PATH/IN/IMAGE, several times")
	flags.Var(&env, "env", "NAME=VALUE, several times")
	_ = flags.Parse(args)
	if *name == "" || *binary == "" {
		return errors.New("push: --name and --binary are needed")
	}
	if *entrypoint == "" {
		*entrypoint = "/" + filepath.Base(*binary)
	}
	i := image.Image{Files: map[string]string{*entrypoint: *binary}, Entrypoint: []string{*entrypoint}, User: *user, Env: env}
	for _, f := range files {
		source, target, found := strings.Cut(f, ":")
		if !found || !strings.HasPrefix(target, "/") {
			return fmt.Errorf("push: --file is FILE:/PATH/IN/IMAGE, not %q", f)
		}
		i.Files[target] = source
	}
	img, err := i.Build()
	if err != nil {
		return err
	}
	address, host := *registry, *registry
	if address == "" {
		c, err := lifecycle.Open(l)
		if err != nil {
			return err
		}
		if err := c.Load(); err != nil {
			return fmt.Errorf("push: the cluster is not up: %w", err)
		}
		address, host = c.RegistryAddress(), layout.RegistryHost
	}
	digest, err := image.Push(ctx, img, address, *name, *tag)
	if err != nil {
		return err
	}
	fmt.Printf("%s/%s@%s\n", host, *name, digest)
	return nil
}

// runAgent and runRegistry are programs of the cluster, started by up.
func runAgent(ctx context.Context, l layout.Layout, targets []string) error {
	return node.Agent(ctx, l, targets)
}

func runRegistry(ctx context.Context, _ layout.Layout, args []string) error {
	flags := flag.NewFlagSet("registry", flag.ExitOnError)
	address := flags.String("listen", layout.RegistryHost, "address")
	dir := flags.String("dir", "", "directory")
	_ = flags.Parse(args)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("serve registry: %w", err)
	}
	return image.ServeRegistry(ctx, listener, *dir)
}

// list is a flag that can be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
