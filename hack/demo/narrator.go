package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// narrator prints what happens as it happens: every record of the track, and every
// two seconds who serves what share and which gate blocks.
type narrator struct {
	env   *harness.Environment
	start time.Time

	mu      sync.Mutex
	records []v1alpha1.ReleaseRecord
	blocked *v1alpha1.BlockedBy

	cancel context.CancelFunc
	done   chan struct{}
}

func newNarrator(env *harness.Environment, start time.Time) *narrator {
	return &narrator{env: env, start: start}
}

const (
	lookEvery = 250 * time.Millisecond
	tellEvery = 2 * time.Second
)

// begin narrates until stop.
func (n *narrator) begin(ctx context.Context, client *load.Client) {
	ctx, n.cancel = context.WithCancel(ctx)
	n.done = make(chan struct{})
	go func() {
		defer close(n.done)
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		told := time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			n.look(ctx)
			if time.Since(told) >= tellEvery {
				n.tellShares(client.Since(told))
				told = time.Now()
			}
		}
	}()
}

func (n *narrator) stop() {
	if n.cancel != nil {
		n.cancel()
		<-n.done
		n.cancel = nil
	}
}

// say prints a line with the time since the start.
func (n *narrator) say(format string, args ...any) {
	since := time.Since(n.start)
	text := strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf(format, args...)), "\n", " | ")
	fmt.Printf("%2d:%02d  %s\n", int(since.Minutes()), int(since.Seconds())%60, text)
}

// act prints the headline of an act.
func (n *narrator) act(format string, args ...any) {
	fmt.Printf("\n\033[1m%s\033[0m\n", fmt.Sprintf(format, args...))
}

// look reads log and status, and tells the records that are new. What cannot be
// read now is read the next time.
func (n *narrator) look(ctx context.Context) {
	records, err := n.env.Records(ctx, namespace, harness.TrackName)
	if err != nil {
		return
	}
	n.mu.Lock()
	known := len(n.records)
	n.records = records
	n.mu.Unlock()
	for _, r := range records[min(known, len(records)):] {
		n.say("%s", recordText(r))
	}
	if track, err := n.env.Track(ctx, namespace); err == nil {
		n.mu.Lock()
		n.blocked = track.Status.BlockedBy
		n.mu.Unlock()
	}
}

func recordText(r v1alpha1.ReleaseRecord) string {
	about := ""
	if r.Spec.Release != nil {
		about = r.Spec.Release.Name
	}
	text := fmt.Sprintf("%-14s %-16s %s", about, r.Spec.Event, r.Spec.Message)
	if r.Spec.Event == v1alpha1.EventWeightSet || r.Spec.Event.IsNegative() {
		text = fmt.Sprintf("%-14s %-16s → %s; %s", about, r.Spec.Event, weightsText(harness.Weights(r)), r.Spec.Message)
	}
	return text
}

func weightsText(weights map[string]int32) string {
	if len(weights) == 0 {
		return "no weight"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		parts = append(parts, fmt.Sprintf("%s %d %%", name, weights[name]))
	}
	return strings.Join(parts, ", ")
}

// tellShares is one line: who served what of the newest requests, what failed, and
// what the track waits for.
func (n *narrator) tellShares(requests load.Results) {
	if len(requests) == 0 {
		return
	}
	versions := requests.Versions()
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		name := version
		if name == "" {
			name = "nobody"
		}
		parts = append(parts, fmt.Sprintf("%s %s %4.1f %%", name, bar(requests.Share(version)), requests.Share(version)))
	}
	line := fmt.Sprintf("wire  %s   %d requests, %d failed", strings.Join(parts, "  "), len(requests), len(requests.Failures()))
	n.mu.Lock()
	if n.blocked != nil {
		line += fmt.Sprintf("   waits for %s: %s", n.blocked.Gate, short(n.blocked.Message))
	}
	n.mu.Unlock()
	n.say("%s", line)
}

// short cuts a message to what fits a line.
func short(message string) string {
	const most = 90
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return message
}

// bar is a share as ten characters.
func bar(percent float64) string {
	full := int(percent/10 + 0.5)
	return strings.Repeat("█", full) + strings.Repeat("░", 10-full)
}

// seen is the newest record for which found holds, among those told so far.
func (n *narrator) seen(found func(v1alpha1.ReleaseRecord) bool) (v1alpha1.ReleaseRecord, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range slices.Backward(n.records) {
		if found(r) {
			return r, true
		}
	}
	return v1alpha1.ReleaseRecord{}, false
}

// log is all that was told so far.
func (n *narrator) log() []v1alpha1.ReleaseRecord {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.records)
}
