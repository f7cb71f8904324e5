package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Bounds on time. A mutant that makes a test run for ever is found by the end of
// its time.
const (
	testTime  = 10 * time.Minute
	buildTime = 15 * time.Minute
)

// hunt builds tests of changed sources and runs them.
type hunt struct {
	// ctx ends with the run: what was begun is then given up.
	ctx       context.Context
	root      string
	directory string
	began     time.Time
	// unmutated are the test programs of the sources as they are, by package, and
	// passed the finders that pass in them.
	unmutated map[string]string
	passed    map[string]bool
}

func newHunt(ctx context.Context, root string) (*hunt, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	directory, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return nil, err
	}
	return &hunt{ctx: ctx, root: root, directory: directory, began: time.Now(), unmutated: map[string]string{}, passed: map[string]bool{}}, nil
}

func (h *hunt) close() { _ = os.RemoveAll(h.directory) }

func (h *hunt) tell(format string, args ...any) {
	fmt.Printf("[%s] %s\n", time.Since(h.began).Round(time.Second), fmt.Sprintf(format, args...))
}

// finding is what came of a mutant.
type finding struct {
	mutant
	// kind of tests that found it, and those of them that failed; "" for none.
	kind  string
	tests string
	// err is why it could not be tried: the table is out of date.
	err error
}

func (f finding) String() string {
	switch {
	case f.err != nil:
		return "NOT TRIED: " + f.err.Error()
	case f.tests == "":
		return "SURVIVED"
	}
	return fmt.Sprintf("found by %s: %s", f.kind, f.tests)
}

// passes says whether a finder passes without any mutant: what fails anyway finds
// nothing. It is run once, before it looks for its first mutant.
func (h *hunt) passes(f finder) error {
	key := f.pkg + " " + strings.Join(f.args, " ")
	if h.passed[key] {
		return nil
	}
	tests, err := h.look(f, h.unmutated)
	if err != nil {
		return err
	}
	if tests != "" {
		return fmt.Errorf("without any mutant %s fails: %s", key, tests)
	}
	h.passed[key] = true
	h.tell("without any mutant %s passes", key)
	return nil
}

// find plants a mutant and lets its finders look.
func (h *hunt) find(m mutant) finding {
	overlay, err := h.plant(m)
	if err != nil {
		return finding{mutant: m, err: err}
	}
	built := map[string]string{}
	defer func() {
		for _, program := range built {
			_ = os.Remove(program)
		}
	}()
	for _, f := range m.finders {
		if err := h.passes(f); err != nil {
			return finding{mutant: m, err: err}
		}
		tests, err := h.look(f, built, "-overlay="+overlay)
		if err != nil || tests != "" {
			return finding{mutant: m, kind: f.kind, tests: tests, err: err}
		}
	}
	return finding{mutant: m}
}

// plant writes the changed file, and the overlay that puts it in the place of the
// source.
func (h *hunt) plant(m mutant) (string, error) {
	source, err := m.changed(h.root)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(h.directory, "changed.go"), filepath.Join(h.directory, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(h.root, m.file): changed}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(changed, source, 0o600), os.WriteFile(overlay, replace, 0o600))
}

// look runs a finder and answers with the tests that failed; "" when all pass.
// built holds the test programs that were built from the same sources, by package.
func (h *hunt) look(f finder, built map[string]string, buildFlags ...string) (string, error) {
	program, ok := built[f.pkg]
	if !ok {
		place, err := os.MkdirTemp(h.directory, "")
		if err != nil {
			return "", err
		}
		program = filepath.Join(place, "tests")
		args := append([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", program}, buildFlags...)
		if output, err := h.command(buildTime, h.root, "go", append(args, f.pkg)...); err != nil {
			return "", fmt.Errorf("%s does not build, and so nothing was tried: %w\n%s", f.pkg, err, output)
		}
		built[f.pkg] = program
	}
	args := append([]string{"-test.timeout=" + testTime.String()}, f.args...)
	output, err := h.command(2*testTime, filepath.Join(h.root, f.pkg), program, args...)
	if err == nil {
		return "", nil
	}
	if tests := failedTests(output); tests != "" {
		return tests, nil
	}
	return "", fmt.Errorf("the tests of %s ended without a test that failed: %w\n%s", f.pkg, err, output)
}

func (h *hunt) command(limit time.Duration, directory, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(h.ctx, limit)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	output, err := command.CombinedOutput()
	return string(output), err
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	endless = regexp.MustCompile(`panic: test timed out after .*\n\s+running tests:\n\s+(\S+)`)
	// part is how the random worlds are spread over processors: no part of the name.
	part = regexp.MustCompile(`/part_\d+$`)
)

// maxTests is how many tests are named that found a mutant.
const maxTests = 4

// failedTests are the tests that the output tells have failed: one that consists of
// many by the part that failed, or by how many did.
func failedTests(output string) string {
	if running := endless.FindStringSubmatch(output); running != nil {
		return part.ReplaceAllString(running[1], "") + " (no end)"
	}
	var tests []string
	parts := map[string][]string{}
	for _, match := range failed.FindAllStringSubmatch(output, -1) {
		test, _, isPart := strings.Cut(match[1], "/")
		switch {
		case !isPart:
			tests = append(tests, test)
		case !part.MatchString(match[1]):
			parts[test] = append(parts[test], match[1])
		}
	}
	for i, test := range tests {
		switch n := len(parts[test]); {
		case n == 1:
			tests[i] = parts[test][0]
		case n > 1:
			tests[i] = fmt.Sprintf("%s (%d parts)", test, n)
		}
	}
	if n := len(tests) - maxTests; n > 0 {
		tests = append(tests[:maxTests], fmt.Sprintf("%d more", n))
	}
	return strings.Join(tests, ", ")
}
