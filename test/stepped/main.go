// Command stepped builds the operator with a clock that can be stepped: by the length of a
// step ahead at SIGUSR1, and by as much back at SIGUSR2. What the operator measures by the
// time since it was started goes on as before, as it does where the clock of a machine is
// set.
//
//	go run ./test/stepped -step 30s -o dist/stepped/manager
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/strata-release/strata/test/variant"
)

func main() {
	step := flag.Duration("step", 30*time.Second, "How far a step leads, in whole seconds.")
	output := flag.String("o", "", "File that the program is written to.")
	flag.Parse()
	if err := build(context.Background(), *output, *step); err != nil {
		log.SetFlags(0)
		log.Fatal("stepped: ", err)
	}
}

func build(ctx context.Context, output string, step time.Duration) error {
	if output == "" || step < time.Second || step%time.Second != 0 {
		return fmt.Errorf("-o %q, -step %s: want a file, and whole seconds, one or more", output, step)
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find Go's own source: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	clock := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	return variant.Build(ctx, ".", output, variant.Source{
		Lines: []variant.Line{{File: filepath.Join(clock, "time.go"),
			From: "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n",
			To:   "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += stepped.Load()\n"}},
		Files: map[string]string{
			filepath.Join(clock, "stepped.go"): `package time

import "sync/atomic"

var stepped atomic.Int64

// Step moves the clock by whole seconds.
func Step(by Duration) { stepped.Add(int64(by / Second)) }
`,
			"cmd/manager/stepped.go": fmt.Sprintf(`package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

func init() {
	steps := make(chan os.Signal, 1)
	signal.Notify(steps, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range steps {
			by := time.Duration(%d)
			if s == syscall.SIGUSR2 {
				by = -by
			}
			time.Step(by)
		}
	}()
}
`, step.Nanoseconds()),
		},
	})
}
