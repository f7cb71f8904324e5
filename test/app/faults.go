package main

import (
	"context"
	"flag"
	"fmt"
	"time"
)

// faults are what a release of the stories may be broken with. The zero value is
// a healthy application.
type faults struct {
	failAfter          int64
	selfcheckFailAfter int64
	unreadyAfter       time.Duration
	neverReady         bool
	startDelay         time.Duration
	crash              string
	crashAfter         time.Duration
	crashCode          int
}

func (f *faults) register(flags *flag.FlagSet) {
	flags.Int64Var(&f.failAfter, "fail-after", 0, "answer 500 once this many requests were served; 0: never")
	flags.Int64Var(&f.selfcheckFailAfter, "selfcheck-fail-after", 0, "let /selfcheck fail once this many requests were served, customers unharmed; 0: never")
	flags.DurationVar(&f.unreadyAfter, "unready-after", 0, "stop being ready this long after the start; 0: never")
	flags.BoolVar(&f.neverReady, "never-ready", false, "never become ready")
	flags.DurationVar(&f.startDelay, "start-delay", 0, "time between the start and the first accepted connection")
	flags.StringVar(&f.crash, "crash", "", "end with this message on standard error")
	flags.DurationVar(&f.crashAfter, "crash-after", 0, "with --crash: how long to serve before")
	flags.IntVar(&f.crashCode, "crash-code", 3, "with --crash: the exit code")
}

// beforeStart waits out a slow start, or ends the process before it serves.
func (f *faults) beforeStart(ctx context.Context) error {
	if f.crash != "" && f.crashAfter == 0 {
		return &exitError{code: f.crashCode, message: f.crash}
	}
	if f.startDelay == 0 {
		return nil
	}
	select {
	case <-time.After(f.startDelay):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("terminated while starting: %w", ctx.Err())
	}
}

// crashTimer fires when the process is to crash; never, when it is not.
func (f *faults) crashTimer() (<-chan time.Time, func()) {
	if f.crash == "" {
		return nil, func() {}
	}
	timer := time.NewTimer(f.crashAfter)
	return timer.C, func() { timer.Stop() }
}

// answersError says whether the served-th request is answered with 500.
func (f *faults) answersError(served int64) bool {
	return f.failAfter > 0 && served > f.failAfter
}

// notReady is why the readiness probe fails; "" when it does not.
func (f *faults) notReady(_ int64, up time.Duration) string {
	switch {
	case f.neverReady:
		return "never ready"
	case f.unreadyAfter > 0 && up > f.unreadyAfter:
		return fmt.Sprintf("not ready any more after %s", f.unreadyAfter)
	default:
		return ""
	}
}

// unhealthy is why /selfcheck fails; "" when it does not.
func (f *faults) unhealthy(served int64, _ time.Duration) string {
	if f.selfcheckFailAfter > 0 && served > f.selfcheckFailAfter {
		return fmt.Sprintf("unhealthy since request %d", f.selfcheckFailAfter)
	}
	return ""
}
