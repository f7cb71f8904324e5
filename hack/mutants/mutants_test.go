package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.."

// Whoever changes a source that a mutant is planted in brings the table up to date.
func TestTheTableFitsTheSources(t *testing.T) {
	names := map[string]bool{}
	for _, m := range table() {
		if names[m.name] {
			t.Errorf("two mutants are called %s", m.name)
		}
		names[m.name] = true
		if m.wrong == "" || len(m.finders) == 0 || m.text == m.becomes {
			t.Errorf("%s is not a whole mutant", m.name)
		}
		source, err := m.changed(top)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, source, 0); err != nil {
			t.Errorf("%s is no Go: %v", m.name, err)
		}
	}
	if len(names) < 60 {
		t.Errorf("%d mutants", len(names))
	}
}

// The document lists the mutants of the table, and no others.
func TestTheProofIsOfThisTable(t *testing.T) {
	document, err := os.ReadFile(filepath.Join(top, proofFile))
	if err != nil {
		t.Fatal(err)
	}
	_, made, _, err := splitProof(string(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range table() {
		if rowIn(made, m) == "" {
			t.Errorf("%s is not in %s: make mutants MUTANT=%s", m.name, proofFile, m.name)
		}
	}
	if rows := strings.Count(made, "\n| `"); rows != len(table()) {
		t.Errorf("%s has %d mutants, the table %d", proofFile, rows, len(table()))
	}
}

func TestFailedTests(t *testing.T) {
	for name, c := range map[string]struct{ output, want string }{
		"nothing failed":     {"PASS\n", ""},
		"one test":           {"--- FAIL: TestA (0.00s)\n    a_test.go:1: no\nFAIL\n", "TestA"},
		"a part of a test":   {"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/one (0.00s)\n    --- FAIL: TestA/two (0.00s)\n--- FAIL: TestB (0.00s)\n", "TestA (2 parts), TestB"},
		"one part of a test": {"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/one (0.00s)\n", "TestA/one"},
		"two tests":          {"--- FAIL: TestA (0.00s)\n--- FAIL: TestAB (0.00s)\n", "TestA, TestAB"},
		"many tests":         {"--- FAIL: A (0s)\n--- FAIL: B (0s)\n--- FAIL: C (0s)\n--- FAIL: D (0s)\n--- FAIL: E (0s)\n--- FAIL: F (0s)\n", "A, B, C, D, 2 more"},
		"random worlds":      {"--- FAIL: TestExplore (1.00s)\n    --- FAIL: TestExplore/part_2 (1.00s)\n", "TestExplore"},
		"a panic":            {"--- FAIL: TestA (0.00s)\npanic: nil map [recovered]\n", "TestA"},
		"no end":             {"panic: test timed out after 3m0s\n\trunning tests:\n\t\tTestA/one (3m0s)\n\ngoroutine 1\n", "TestA/one (no end)"},
	} {
		if got := failedTests(c.output); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
