package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/strata-release/strata/test/stories/cluster"
)

func main() {
	sizes := flag.String("tracks", "100,1000", "how many tracks, separated by commas")
	flags := flag.String("flags", "--kube-api-qps=500 --kube-api-burst=1000", "flags of the operator")
	profiles := flag.String("profiles", "", "a directory for profiles of the operator: of its processor while the next release is rolled out, of its heap when all is settled and after a restart")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	flag.Parse()
	ctrl.SetLogger(logr.Discard()) // What is played has nothing to say.
	err := measureAll(ctx, *sizes, *profiles, strings.Fields(*flags))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measureAll(ctx context.Context, sizes, profiles string, flags []string) error {
	var results []*result
	for _, size := range strings.Split(sizes, ",") {
		tracks, err := strconv.Atoi(size)
		if err != nil || tracks < 1 {
			return fmt.Errorf("--tracks is %q: it must be numbers above 0, separated by commas", sizes)
		}
		r, err := measure(ctx, tracks, profiles, flags)
		if err != nil {
			return fmt.Errorf("%d tracks: %w", tracks, err)
		}
		results = append(results, r)
		print(os.Stdout, results)
	}
	var missed []error
	for _, r := range results {
		missed = append(missed, r.missed())
	}
	return errors.Join(missed...)
}

// measure one size. What the programs said is left where an error says.
func measure(ctx context.Context, tracks int, profiles string, flags []string) (r *result, err error) {
	scratch, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w; logs are in %s", err, scratch)
		} else {
			err = os.RemoveAll(scratch)
		}
	}()
	root, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	program := filepath.Join(scratch, "manager")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./cmd/manager")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the operator: %w: %s", err, said)
	}
	c, err := cluster.StartWhole(ctx, root, scratch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err := c.SettleIn(ctx, root); err != nil {
		return nil, err
	}
	b, err := newBench(ctx, c, scratch, program, profiles, flags, tracks)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	return b.run(ctx)
}
