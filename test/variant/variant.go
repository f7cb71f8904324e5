// Package variant builds operators that differ from this source in some lines: one that an
// upgrade replaces or brings, or one whose clock can be stepped.
package variant

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Line of a file that is another one as the compiler reads it. The file is below the root of
// the source, or an absolute path.
type Line struct{ File, From, To string }

// Source is in what a variant differs.
type Source struct {
	Lines []Line
	// Files that are there too, by their path: its content.
	Files map[string]string
}

// Build makes an operator of the source below root, which differs as told, and writes the
// program to output. A line that is not there once, and once alone, is an error: the variant
// would differ in nothing.
func Build(ctx context.Context, root, output string, differs Source) error {
	scratch, err := os.MkdirTemp("", "strata-variant-")
	if err != nil {
		return fmt.Errorf("build an operator: %w", err)
	}
	defer os.RemoveAll(scratch)
	overlay, err := write(root, scratch, differs)
	if err != nil {
		return err
	}
	if output, err = filepath.Abs(output); err != nil {
		return fmt.Errorf("build an operator: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-w", "-overlay", overlay, "-o", output, "./cmd/manager")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build an operator: %w: %s", err, said)
	}
	return nil
}

// write writes the files that differ, and what tells the compiler of them.
func write(root, scratch string, differs Source) (overlay string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return "", fmt.Errorf("find the source: %w", err)
	}
	below := func(file string) string {
		if filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(root, file)
	}
	sources := map[string]string{}
	for file, content := range differs.Files {
		sources[below(file)] = content
	}
	for _, line := range differs.Lines {
		file := below(line.File)
		if sources[file] == "" {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", fmt.Errorf("read the source: %w", err)
			}
			sources[file] = string(content)
		}
		if n := strings.Count(sources[file], line.From); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, want once: correct what the variant differs in", line.File, line.From, n)
		}
		sources[file] = strings.Replace(sources[file], line.From, line.To, 1)
	}
	replace := map[string]string{}
	for file, content := range sources {
		replace[file] = filepath.Join(scratch, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[file], []byte(content), 0o600); err != nil {
			return "", fmt.Errorf("write a changed source: %w", err)
		}
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(scratch, "overlay.json")
	return overlay, os.WriteFile(overlay, content, 0o600)
}
