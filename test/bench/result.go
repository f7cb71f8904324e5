package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// What a blue/green rollout of one component may write, besides Events (docs/benchmarks.md).
const (
	objectBudget = 16
	statusBudget = 8
)

// result is what was measured of one number of tracks.
type result struct {
	tracks int
	flags  []string
	// first is the rollout of the first release, and next that of the second one.
	first, next rollout
	settled     rest
	restart     restart
}

// rollout of all tracks at once.
type rollout struct {
	// published is how long creating the releases took, and wall from the first until the
	// last track was stable.
	published, wall time.Duration
	// took is how long each track took, sorted.
	took     []time.Duration
	cost     cost
	requests map[string]int
	depth    int
	sampled  time.Time
}

// rest is a while in which nobody asked for anything.
type rest struct {
	cost     cost
	requests map[string]int
	memory   memory
}

type restart struct {
	// ready is how long it took until admission requests were answered, and looked until
	// every track had been looked at.
	ready, looked time.Duration
	cost          cost
	requests      map[string]int
	memory        memory
}

// missed names the budgets of counts that were not held; nil where all were.
func (r *result) missed() error {
	var missed []error
	objects, statuses, _, _ := perRollout(r.next.requests, r.tracks)
	for _, count := range []struct {
		what string
		got  float64
		most float64
		of   map[string]int
	}{
		{"writes of objects per rollout", objects, objectBudget, r.next.requests},
		{"writes of status per rollout", statuses, statusBudget, r.next.requests},
		{"writes of settled tracks", float64(sum(writesOf(r.settled.requests))), 0, r.settled.requests},
		{"writes after a restart", float64(sum(writesOf(r.restart.requests))), 0, r.restart.requests},
	} {
		if count.got > count.most {
			missed = append(missed, fmt.Errorf("%d tracks: %.2f %s, at most %.0f are to be: %v", r.tracks, count.got, count.what, count.most, writesOf(count.of)))
		}
	}
	return errors.Join(missed...)
}

// perRollout splits the requests of so many rollouts.
func perRollout(requests map[string]int, rollouts int) (objects, statuses, events, reads float64) {
	writes := writesOf(requests)
	for what, n := range requests {
		each := float64(n) / float64(rollouts)
		switch _, resource, _ := strings.Cut(what, " "); {
		case strings.HasPrefix(resource, "events") && !strings.HasPrefix(what, "list"):
			events += each
		case writes[what] == 0:
			reads += each
		case strings.HasSuffix(resource, "/status"):
			statuses += each
		default:
			objects += each
		}
	}
	return objects, statuses, events, reads
}

func sum(counts map[string]int) int {
	all := 0
	for _, n := range counts {
		all += n
	}
	return all
}

// print writes what was measured as tables in Markdown, a column for each size.
func print(out io.Writer, results []*result) {
	row := func(what string, cell func(*result) string) {
		fmt.Fprintf(out, "| %s |", what)
		for _, r := range results {
			fmt.Fprintf(out, " %s |", cell(r))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "\nThe operator ran with `%s`.\n\n", strings.Join(results[0].flags, " "))
	row("tracks, of two releases each", func(r *result) string { return fmt.Sprint(r.tracks) })
	row("---", func(*result) string { return "---" })
	for _, phase := range []struct {
		name string
		of   func(*result) rollout
	}{{"first", func(r *result) rollout { return r.first }}, {"next", func(r *result) rollout { return r.next }}} {
		said := func(what string, cell func(rollout, float64) string) {
			row(phase.name+" release of all at once: "+what, func(r *result) string { return cell(phase.of(r), float64(r.tracks)) })
		}
		said("published within", func(o rollout, _ float64) string { return seconds(o.published) })
		said("until the last was stable", func(o rollout, _ float64) string { return seconds(o.wall) })
		said("rollouts a second", func(o rollout, n float64) string { return fmt.Sprintf("%.1f", n/o.wall.Seconds()) })
		said("of each track, p50", func(o rollout, _ float64) string { return seconds(o.took[len(o.took)/2]) })
		said("of each track, p99", func(o rollout, _ float64) string { return seconds(o.took[(len(o.took)-1)*99/100]) })
		said("operator's CPU per rollout", func(o rollout, n float64) string { return fmt.Sprintf("%.1f ms", o.cost.cpu.Seconds()*1000/n) })
		said("looks, and allocated, per rollout", func(o rollout, n float64) string {
			return fmt.Sprintf("%.1f, %.2f MiB", o.cost.looks/n, o.cost.bytes/n/(1<<20))
		})
		said("tracks in the queue, at most seen", func(o rollout, _ float64) string { return fmt.Sprint(o.depth) })
		said("writes of objects, statuses, Events; reads, per rollout", func(o rollout, n float64) string {
			objects, statuses, events, reads := perRollout(o.requests, int(n))
			return fmt.Sprintf("%.1f, %.1f, %.1f; %.1f", objects, statuses, events, reads)
		})
	}
	row("memory, at most until here", func(r *result) string { return mebibytes(r.settled.memory.peak) })
	row("settled: memory", func(r *result) string { return mebibytes(r.settled.memory.resident) })
	row("settled: memory is", func(r *result) string { return r.settled.memory.parts() })
	row("settled, a minute: writes; Events; reads", func(r *result) string { return counts(r.settled.requests) })
	row("settled, a minute: operator's CPU", func(r *result) string { return milliseconds(r.settled.cost.cpu) })
	row("restart: ready after", func(r *result) string { return seconds(r.restart.ready) })
	row("restart: every track looked at after", func(r *result) string { return seconds(r.restart.looked) })
	row("restart: writes; Events; reads", func(r *result) string { return counts(r.restart.requests) })
	row("restart: operator's CPU", func(r *result) string { return milliseconds(r.restart.cost.cpu) })
	row("restart: memory, and at most", func(r *result) string {
		return mebibytes(r.restart.memory.resident) + ", " + mebibytes(r.restart.memory.peak)
	})
	row("restart: memory is", func(r *result) string { return r.restart.memory.parts() })
	printRequests(out, results)
}

// printRequests tells of the next release by verb and resource, per rollout.
func printRequests(out io.Writer, results []*result) {
	all := map[string]float64{}
	for _, r := range results {
		for what, n := range r.next.requests {
			all[what] = max(all[what], float64(n)/float64(r.tracks))
		}
	}
	fmt.Fprint(out, "\n| request, per rollout of the next release |")
	fmt.Fprint(out, strings.Repeat(" |", len(results)), "\n", strings.Repeat("| --- ", len(results)+1), "|\n")
	byCount := func(a, b string) int { return cmp.Or(cmp.Compare(all[b], all[a]), strings.Compare(a, b)) }
	for _, what := range slices.SortedFunc(maps.Keys(all), byCount) {
		fmt.Fprintf(out, "| %s |", what)
		for _, r := range results {
			fmt.Fprintf(out, " %.2f |", float64(r.next.requests[what])/float64(r.tracks))
		}
		fmt.Fprintln(out)
	}
}

func counts(requests map[string]int) string {
	objects, statuses, events, reads := perRollout(requests, 1)
	return fmt.Sprintf("%.0f; %.0f; %.0f", objects+statuses, events, reads)
}

func seconds(d time.Duration) string      { return fmt.Sprintf("%.1f s", d.Seconds()) }
func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
func mebibytes(n int64) string            { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
