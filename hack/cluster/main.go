// Command cluster runs a real Kubernetes cluster of one node on this machine,
// without Docker: docs/cluster.md says what is in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/strata-release/strata/hack/cluster/binaries"
	"github.com/strata-release/strata/hack/cluster/layout"
)

const usage = `usage: cluster [--root DIR] VERB

  build [--only SET]       build the cluster's programs, or those of envtest or bench
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
	if err != nil {
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
	if verb == "build" {
		do, known = build, true
	}
	if !known {
		flags.Usage()
		return fmt.Errorf("unknown verb %q", verb)
	}
	return do(ctx, l, rest)
}

// build works on every system: envtest's programs are of use on all of them.
func build(ctx context.Context, l layout.Layout, args []string) error {
	flags := flag.NewFlagSet("build", flag.ExitOnError)
	only := flags.String("only", "", "envtest: just etcd, kube-apiserver and kubectl; bench: a control plane, and kwok")
	_ = flags.Parse(args)
	set := binaries.Set(*only)
	if set != binaries.Local && set != binaries.EnvTest && set != binaries.Bench {
		return fmt.Errorf("build: --only is %s, %s or nothing, not %q", binaries.EnvTest, binaries.Bench, *only)
	}
	return binaries.Build(ctx, l, os.Stdout, set)
}
