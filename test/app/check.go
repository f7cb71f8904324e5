package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// checks of `app test`: what each kind does.
var checks = map[string]func(ctx context.Context, o testOptions) error{
	"smoke":  smoke,
	"errors": errorFree,
	"fail":   fail,
	"hang":   hang,
	"pass":   pass,
}

// testOptions of `app test`.
type testOptions struct {
	component string
	path      string
	requests  int
	interval  time.Duration
	delay     time.Duration
	message   string
}

// test runs one check and fails the Job by its error.
func test(ctx context.Context, args []string) error {
	if len(args) == 0 || checks[args[0]] == nil {
		return fmt.Errorf("app test needs the kind of test\n%s", usage)
	}
	var o testOptions
	f := flag.NewFlagSet("app test "+args[0], flag.ContinueOnError)
	f.StringVar(&o.component, "component", "web", "component to ask")
	f.StringVar(&o.path, "path", "/", "path to ask for")
	f.IntVar(&o.requests, "requests", 50, "errors: how many requests, 1..100000")
	f.DurationVar(&o.interval, "interval", 20*time.Millisecond, "errors: time between requests")
	f.DurationVar(&o.delay, "delay", 0, "time to wait before the test begins")
	f.StringVar(&o.message, "message", "the basket is empty", "fail: the last line")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if o.requests < 1 || o.requests > 100000 {
		return fmt.Errorf("--requests=%d: must be 1..100000", o.requests)
	}
	if err := pause(ctx, o.delay); err != nil {
		return err
	}
	return checks[args[0]](ctx, o)
}

// smoke asks the component once and fails unless the version of this Job answers:
// a test that reached another release has tested nothing.
func smoke(ctx context.Context, o testOptions) error {
	status, body, err := ask(ctx, o)
	if err != nil {
		return err
	}
	if status >= 300 {
		return fmt.Errorf("%s answered %d: %s", o.component, status, body)
	}
	var got answer
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return fmt.Errorf("read the answer of %s: %w", o.component, err)
	}
	if want := os.Getenv("STRATA_VERSION"); got.Version != want {
		return fmt.Errorf("version %q answered, this is the test of %q", got.Version, want)
	}
	fmt.Printf("version %s answered from %s\n", got.Version, got.Pod)
	return nil
}

// errorFree asks the component o.requests times and fails at the first 5xx.
func errorFree(ctx context.Context, o testOptions) error {
	for i := 1; i <= o.requests; i++ {
		status, body, err := ask(ctx, o)
		if err != nil {
			return fmt.Errorf("request %d of %d: %w", i, o.requests, err)
		}
		if status >= 500 {
			return fmt.Errorf("request %d of %d: %s answered %d: %s", i, o.requests, o.component, status, body)
		}
		if err := pause(ctx, o.interval); err != nil {
			return err
		}
	}
	fmt.Printf("%d requests without an error\n", o.requests)
	return nil
}

// fail prints what a failing test suite prints, and fails.
func fail(_ context.Context, o testOptions) error {
	fmt.Println("running 3 checks")
	fmt.Println("check 1: ok")
	fmt.Println("check 2: ok")
	return errors.New("check 3: " + o.message)
}

// pass asks nobody and succeeds.
func pass(context.Context, testOptions) error {
	fmt.Println("nothing to check")
	return nil
}

// hang never ends by itself, and not when it is told to end either.
func hang(context.Context, testOptions) error {
	fmt.Println("waiting for what never comes")
	for {
		time.Sleep(time.Hour)
	}
}

// ask is the status and the trimmed body of one request to a sibling component.
func ask(ctx context.Context, o testOptions) (int, string, error) {
	url, err := siblingURL(o.component, o.path)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", o.component, err)
	}
	// A connection for each request, so that every pod is asked.
	request.Close = true
	response, err := siblings.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", o.component, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return 0, "", fmt.Errorf("read the answer of %s: %w", o.component, err)
	}
	return response.StatusCode, strings.TrimSpace(string(body)), nil
}

// pause waits for d, or ends early with the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("terminated: %w", ctx.Err())
	}
}
