// Command picture draws what the demo saw: who answered what share of the requests
// over time, with the decisions of the track as marks.
//
//	picture dist/demo.json docs/rollout.svg
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/strata-release/strata/hack/demo/seen"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: picture REPORT.json PICTURE.svg, got %d arguments", len(args))
	}
	content, err := os.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	var report seen.Report
	if err := json.Unmarshal(content, &report); err != nil {
		return fmt.Errorf("read the report %s: %w", args[0], err)
	}
	if len(report.Samples) < 2 {
		return fmt.Errorf("report %s has %d samples: nothing to draw", args[0], len(report.Samples))
	}
	if err := os.WriteFile(args[1], []byte(draw(report)), 0o644); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}
