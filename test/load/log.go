package load

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Result is what came of one request.
type Result struct {
	Start    time.Time
	Duration time.Duration
	// Status is the HTTP status, 0 when no answer came.
	Status int
	// Version, Release and Pod are who answered, as the answer says; empty when
	// somebody else (the gateway) did.
	Version string
	Release string
	Pod     string
	// NewConnection: the request opened its connection.
	NewConnection bool
	// Error says what went wrong: the transport's error, or the body of a failure.
	Error string
}

// Failed says whether the request got no answer, or one of status 400 or above.
func (r Result) Failed() bool { return r.Status == 0 || r.Status >= 400 }

// String is one line about the request.
func (r Result) String() string {
	who := cmp.Or(r.Version, "nobody")
	return fmt.Sprintf("%s status %d by %s %s after %s, new connection %t: %s", r.Start.Format("15:04:05.000"),
		r.Status, who, r.Pod, r.Duration.Round(time.Millisecond), r.NewConnection, strings.TrimSpace(r.Error))
}

// Results are requests in the order of their start.
type Results []Result

// Log holds every request of a load. It may be read while the load goes on.
type Log struct {
	mu      sync.Mutex
	results Results
}

func (l *Log) add(r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results = append(l.results, r)
}

// Results are all requests answered so far, in the order of their start.
func (l *Log) Results() Results {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Clone(l.results)
	slices.SortStableFunc(all, func(a, b Result) int { return a.Start.Compare(b.Start) })
	return all
}

// Since are the requests answered so far that began at t or later.
func (l *Log) Since(t time.Time) Results { return l.Results().Between(t, time.Time{}) }

// Between are the requests that began at from or later and before to; the zero
// time means no bound.
func (rs Results) Between(from, to time.Time) Results {
	first := sort.Search(len(rs), func(i int) bool { return !rs[i].Start.Before(from) })
	if to.IsZero() {
		return rs[first:]
	}
	last := sort.Search(len(rs), func(i int) bool { return !rs[i].Start.Before(to) })
	return rs[first:max(first, last)]
}

// Last are the newest n requests, or all where there are fewer.
func (rs Results) Last(n int) Results { return rs[max(0, len(rs)-n):] }

// Where are the requests for which keep holds.
func (rs Results) Where(keep func(Result) bool) Results {
	var kept Results
	for _, r := range rs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// Failures are the requests that failed.
func (rs Results) Failures() Results { return rs.Where(Result.Failed) }

// NewConnections are the requests that opened a connection.
func (rs Results) NewConnections() Results {
	return rs.Where(func(r Result) bool { return r.NewConnection })
}

// Versions counts the requests by the version that answered; "" is the gateway,
// or nobody.
func (rs Results) Versions() map[string]int {
	counts := map[string]int{}
	for _, r := range rs {
		counts[r.Version]++
	}
	return counts
}

// Share is the percentage, 0..100, of the requests that version answered, and 0 of
// no requests.
func (rs Results) Share(version string) float64 {
	if len(rs) == 0 {
		return 0
	}
	return 100 * float64(rs.Versions()[version]) / float64(len(rs))
}

// First is the first request for which found holds.
func (rs Results) First(found func(Result) bool) (Result, bool) {
	if i := slices.IndexFunc(rs, found); i >= 0 {
		return rs[i], true
	}
	return Result{}, false
}

// AllFrom is the start of the first request from which on version answered every
// one; false when the newest request was answered by another, or there is none.
// Over NewConnections it is the moment at which a shift is done on the wire.
func (rs Results) AllFrom(version string) (time.Time, bool) {
	first := len(rs)
	for first > 0 && rs[first-1].Version == version {
		first--
	}
	if first == len(rs) {
		return time.Time{}, false
	}
	return rs[first].Start, true
}

// Percentile is the duration that p percent, 0..100, of the requests did not
// exceed; 0 of no requests.
func (rs Results) Percentile(p float64) time.Duration {
	if len(rs) == 0 {
		return 0
	}
	durations := make([]time.Duration, len(rs))
	for i, r := range rs {
		durations[i] = r.Duration
	}
	slices.Sort(durations)
	return durations[min(len(durations)-1, int(p/100*float64(len(durations))))]
}

// Summary is one line: requests, failures, slowest.
func (rs Results) Summary() string {
	return fmt.Sprintf("%d requests, %d failed, %d on new connections, p50 %s, p99 %s", len(rs), len(rs.Failures()),
		len(rs.NewConnections()), rs.Percentile(50).Round(100*time.Microsecond), rs.Percentile(99).Round(100*time.Microsecond))
}

// Describe is at most limit lines about requests, for messages of failed tests.
func (rs Results) Describe(limit int) string {
	var b strings.Builder
	for _, r := range rs[:min(limit, len(rs))] {
		fmt.Fprintln(&b, " ", r)
	}
	if more := len(rs) - limit; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return b.String()
}
