// Command app is the application that the end-to-end stories, the demo and the
// samples deploy: one small static program that is the shop's web, api and worker
// and also the Job that tests them.
//
//	app serve [faults]         answers HTTP and says who answered
//	app test KIND [flags]      checks a release from inside, as its test Job
//	app queue                  hands out items, and says who took them
//	app work --queue=URL       takes items
//
// Every fault and every check is a flag, so that a release's manifest shows what
// is wrong with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  app serve [flags]              serve HTTP; 'app serve -h' lists the faults
  app test smoke|errors|pass|fail|hang [flags]
                                 check the release this Job belongs to
  app queue [--listen=:8080]     hand out items, one line for each to standard output
  app work --queue=URL [--interval=100ms]
                                 take items until told to stop`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:])
	case "test":
		return test(ctx, args[1:])
	case "queue":
		return queue(ctx, args[1:])
	case "work":
		return work(ctx, args[1:])
	default:
		return fmt.Errorf("%q is no command of app\n%s", args[0], usage)
	}
}

// exitError is an error that ends the process with a code of its own.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

// exitCode is the code of an exitError in err's chain, else 1.
func exitCode(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return 1
}
