// Command mutants plants one deliberate fault after the other in the planner and in
// the loop, and runs the tests that should find it: what no test finds is a rule
// that nobody holds.
//
//	table (planner.go, rules.go, loop.go, parts.go, trusting.go, guarding.go)
//	        |  text -> becomes
//	     overlay ----> go test -c -overlay ----> finders, fastest first
//	                                                |
//	                             the tests that fail, or SURVIVED
//
// The work tree is never touched: the compiler reads the changed file from a
// temporary directory. What found each fault is written into docs/proof.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"
)

func main() {
	root := flag.String("root", ".", "the top of the repository")
	name := flag.String("mutant", "", "plant those alone whose whole name this regular expression matches")
	kind := flag.String("finder", "", "let this kind of tests alone look, as docs/proof.md calls it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root, *name, *kind); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run hunts the mutants that were asked for. It fails unless each is found.
func run(ctx context.Context, root, name, kind string) error {
	hunted, err := chosen(table(), name, kind)
	if err != nil {
		return err
	}
	h, err := newHunt(ctx, root)
	if err != nil {
		return err
	}
	defer h.close()
	missed := 0
	for i, m := range hunted {
		began := time.Now()
		f := h.find(m)
		if ctx.Err() != nil {
			return fmt.Errorf("given up: %w", ctx.Err())
		}
		h.tell("%d of %d  %s: %s (%s)", i+1, len(hunted), m.name, f, time.Since(began).Round(time.Second/10))
		if f.tests == "" {
			missed++
		}
		if kind != "" {
			continue
		}
		if err := writeProof(root, f); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d were not found: no test holds the rules that they break", missed, len(hunted))
	}
	return nil
}

// chosen are the mutants whose name a regular expression matches, all for "", with
// their finders of a kind, all for "".
func chosen(all []mutant, name, kind string) ([]mutant, error) {
	named, err := regexp.Compile("^(" + name + ")$")
	if err != nil {
		return nil, err
	}
	var some []mutant
	for _, m := range all {
		if kind != "" {
			m.finders = slices.DeleteFunc(slices.Clone(m.finders), func(f finder) bool { return f.kind != kind })
		}
		if len(m.finders) > 0 && (name == "" || named.MatchString(m.name)) {
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("no mutant %q with finders %q is in the table", name, kind)
	}
	return some, nil
}
