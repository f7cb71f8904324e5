// Command cluster runs a real Kubernetes cluster of one node on this machine,
// without Docker: docs/cluster.md says what is in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/strata-release/strata/hack/cluster/layout"
	"github.com/strata-release/strata/hack/cluster/lifecycle"
)

const usage = `usage: cluster [--root DIR] VERB

  build [--only envtest]   build the cluster's programs, or those of envtest
  up                       bring the cluster up; up already: check it, start what has ended
  down                     end it and remove all that it made
  status                   what runs and what answers
  run -- COMMAND           run a command on the node's network, with KUBECONFIG set
  stop PROGRAM             end one program (registry, kube-scheduler, ...); up starts it again
  push --name N --binary F make an image of a static binary, push it, print its reference
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode()) // of the command that was run; it has said why
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("cluster", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	root := flags.String("root", ".", "a directory of the checkout")
	_ = flags.Parse(args)
	if flags.NArg() == 0 {
		flags.Usage()
		return errors.New("no verb given")
	}
	l, err := layout.Find(*root)
	if err != nil {
		return err
	}
	verb, rest := flags.Arg(0), flags.Args()[1:]
	do, known := verbs[verb]
	if !known {
		flags.Usage()
		return fmt.Errorf("unknown verb %q", verb)
	}
	return do(ctx, l, rest)
}

var verbs = map[string]func(context.Context, layout.Layout, []string) error{
	"build": build,
	"up":    locked((*lifecycle.Cluster).Up),
	"down":  locked((*lifecycle.Cluster).Down),
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

// list is a flag that can be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
