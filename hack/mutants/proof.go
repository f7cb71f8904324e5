package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// proofFile tells what is proven how. The part between the marks is the list of
// mutants, each with what found it when it was hunted last.
const (
	proofFile  = "docs/proof.md"
	proofBegin = "<!-- made by make mutants: begin -->\n"
	proofEnd   = "<!-- made by make mutants: end -->\n"
	proofHead  = "\n| mutant | what is wrong with it | planted in | found by |\n|---|---|---|---|\n"
)

// writeProof puts what came of a mutant into the document, and leaves the rows of all
// others that are in the table as they are. One that was not found has no row.
func writeProof(root string, f finding) error {
	path := filepath.Join(root, proofFile)
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, made, after, err := splitProof(string(document))
	if err != nil {
		return err
	}
	var rows []string
	for _, m := range table() {
		row := rowIn(made, m)
		if m.name == f.name {
			row = f.row()
		}
		if row != "" {
			rows = append(rows, row)
		}
	}
	made = fmt.Sprintf("%d faults, each found:\n", len(rows)) + proofHead + strings.Join(rows, "")
	return os.WriteFile(path, []byte(before+proofBegin+made+proofEnd+after), 0o644)
}

// row is the mutant's in the document; "" where it was not found.
func (f finding) row() string {
	if f.tests == "" {
		return ""
	}
	return fmt.Sprintf("%s %s: %s |\n", rowOf(f.mutant), f.kind, f.tests)
}

// rowIn is the row that the document has of a mutant as the table has it; "" where it
// has none.
func rowIn(made string, m mutant) string {
	_, rest, found := strings.Cut(made, rowOf(m))
	if !found {
		return ""
	}
	line, _, _ := strings.Cut(rest, "\n")
	return rowOf(m) + line + "\n"
}

// rowOf is the part of a mutant's row that the table tells without a run.
func rowOf(m mutant) string {
	return fmt.Sprintf("| `%s` | %s | `%s` |", m.name, m.wrong, m.file)
}

func splitProof(document string) (before, made, after string, err error) {
	before, rest, begun := strings.Cut(document, proofBegin)
	made, after, ended := strings.Cut(rest, proofEnd)
	if !begun || !ended {
		return "", "", "", fmt.Errorf("%s has lost the marks of the part that is made", proofFile)
	}
	return before, made, after, nil
}
