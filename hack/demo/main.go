// Command demo shows the main job of Strata on a cluster in which it runs: five
// minutes in the life of a shop, under a client that never stops asking. It applies
// the manifests of config/samples/shop as files, tells what happens as it happens,
// and ends with what was asked for against what was seen. Its exit status is 1 if
// anything is off.
//
//	act 1  the first version goes live
//	act 2  the second one takes 20, 50, 100 percent
//	act 3  the third one fails its test, and gets nothing
//	act 4  the fourth one answers errors after a while: taken back at 50 percent
//	act 5  somebody edits what runs: refused
//	act 6  somebody wants the first version back: done in about a second
//
// `make demo` brings up all that it needs; package harness lists its variables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/strata-release/strata/test/harness"
)

func main() {
	samples := flag.String("samples", "config/samples/shop", "directory of the manifests")
	output := flag.String("output", "", "file for what was seen, as JSON; none by default")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := run(ctx, *samples, *output); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

var errOff = errors.New("something is off: see the lines marked with ✗")

func run(ctx context.Context, samples, output string) error {
	env, err := harness.Connect(ctx)
	if err != nil {
		return err
	}
	s, err := newShow(ctx, env, samples)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.play(ctx); err != nil {
		s.explain(context.WithoutCancel(ctx))
		return err
	}
	s.stop()
	if output != "" {
		if err := write(s.report(), output); err != nil {
			return err
		}
	}
	if !s.table() {
		return errOff
	}
	return nil
}
