package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/strata-release/strata/hack/demo/seen"
)

func TestPictureIsWellFormedAndTellsTheStory(t *testing.T) {
	svg := draw(seen.Report{
		Samples: []seen.Sample{
			{Time: 0, Requests: map[string]int{"1.0.0": 100}},
			{Time: 0.5, Requests: map[string]int{"1.0.0": 80, "1.1.0": 20}},
			{Time: 1, Requests: map[string]int{"1.0.0": 50, "1.1.0": 50}, Failures: map[string]int{"1.1.0": 10}},
			{Time: 1.5, Requests: map[string]int{"1.0.0": 100}},
		},
		Marks: []seen.Mark{
			{Time: -3, Event: "Promoted", Version: "1.0.0", Weights: map[string]int32{"1.0.0": 100}},
			{Time: 0.5, Event: "WeightSet", Version: "1.1.0", Weights: map[string]int32{"1.0.0": 80, "1.1.0": 20}},
			{Time: 1.4, Event: "Failed", Version: "1.1.0", Weights: map[string]int32{"1.0.0": 100}},
		},
		Requests: 1400, Failures: 10, RollbackSeconds: 0.26,
	})
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{"1.1.0: 20 %", "1.1.0 failed its test", "1,400 requests over 2 s: 0 failed", `class="bad"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "%!") {
		t.Error("a number is broken")
	}
}
