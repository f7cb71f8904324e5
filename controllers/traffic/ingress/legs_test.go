package ingress

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
)

func weights(pairs ...any) []v1alpha1.ReleaseWeight {
	var all []v1alpha1.ReleaseWeight
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, v1alpha1.ReleaseWeight{ReleaseName: pairs[i].(string), WeightPercent: int32(pairs[i+1].(int))})
	}
	return all
}

func (l legs) String() string {
	return fmt.Sprintf("primary %s, canary %s: %d", l.primary, l.canary, l.weight)
}

// write carries a step out.
func (l *legs) write(s step) {
	switch s.verb {
	case setPrimary:
		l.primary = s.release
	case setCanary:
		l.canary, l.weight, l.fit = s.release, s.weight, true
	case deleteCanary:
		l.canary, l.weight = "", 0
	case nothing:
	}
	l.settled = false
}

// carry writes until nothing is left but to wait, lets that be over, and so on until the
// legs are as asked. It gives what was written, each with what the router does then.
func (l *legs) carry(t *testing.T, want []v1alpha1.ReleaseWeight) []string {
	t.Helper()
	var told []string
	for range 8 {
		next := l.next(want)
		if next.verb == nothing {
			if !l.moving() {
				return told
			}
			told = append(told, "settles")
			l.settled = true
			continue
		}
		l.write(next)
		told = append(told, l.String())
	}
	t.Fatalf("no end of it: %v", told)
	return nil
}

func TestAMoveTakesTheWritesThatTheTableSays(t *testing.T) {
	at := func(primary, canary string, weight int32) legs {
		return legs{primary: primary, canary: canary, weight: weight, fit: true, aged: true, alive: true, settled: true}
	}
	dead := func(l legs) legs { l.alive = false; return l }
	fresh := func(l legs) legs { l.settled = false; return l }
	old := func(l legs) legs { l.fit = false; return l }
	for name, c := range map[string]struct {
		from legs
		want []v1alpha1.ReleaseWeight
		told []string
	}{
		"the first release":           {legs{}, weights("a", 100), []string{"primary a, canary : 0"}},
		"a candidate is listed":       {at("a", "", 0), weights("a", 100, "b", 0), []string{"primary a, canary b: 0"}},
		"a step":                      {at("a", "b", 0), weights("a", 80, "b", 20), []string{"primary a, canary b: 20"}},
		"a step without a canary":     {at("a", "", 0), weights("a", 80, "b", 20), []string{"primary a, canary b: 0", "primary a, canary b: 20"}},
		"everything":                  {at("a", "b", 20), weights("a", 0, "b", 100), []string{"primary b, canary b: 20", "primary b, canary a: 0"}},
		"everything, unsettled":       {fresh(at("a", "b", 20)), weights("b", 100), []string{"primary a, canary b: 100", "settles", "primary b, canary b: 100", "primary b, canary : 0"}},
		"back from a step":            {at("a", "b", 20), weights("a", 100, "b", 0), []string{"primary a, canary b: 0"}},
		"back to what is listed":      {at("b", "a", 0), weights("a", 100, "b", 0), []string{"primary a, canary a: 0", "primary a, canary b: 0"}},
		"back at once":                {fresh(at("b", "b", 20)), weights("a", 100, "b", 0), []string{"primary b, canary a: 100", "settles", "primary a, canary a: 100", "primary a, canary b: 0"}},
		"back from what is dead":      {dead(fresh(at("b", "b", 20))), weights("a", 100), []string{"primary a, canary b: 20", "primary a, canary : 0"}},
		"to one that is not listed":   {at("a", "b", 50), weights("c", 100, "a", 0), []string{"primary a, canary c: 100", "settles", "primary c, canary c: 100", "primary c, canary a: 0"}},
		"from a dead baseline":        {dead(fresh(at("a", "b", 0))), weights("b", 100), []string{"primary b, canary b: 0", "primary b, canary : 0"}},
		"one that drained":            {at("b", "a", 0), weights("b", 100), []string{"primary b, canary : 0"}},
		"another candidate":           {at("b", "a", 0), weights("b", 100, "c", 0), []string{"primary b, canary c: 0"}},
		"a primary that is gone":      {legs{canary: "b", weight: 20, alive: true, aged: true}, weights("a", 80, "b", 20), []string{"primary , canary : 0", "primary a, canary : 0", "primary a, canary b: 0", "primary a, canary b: 20"}},
		"gone past the middle":        {legs{alive: true, aged: true}, weights("a", 20, "b", 80, "c", 0), []string{"primary a, canary : 0", "primary a, canary b: 0", "primary a, canary b: 80"}},
		"an older canary":             {old(at("a", "b", 20)), weights("a", 80, "b", 20), []string{"primary a, canary : 0", "primary a, canary b: 0", "primary a, canary b: 20"}},
		"a primary that leads astray": {at(unknown, "b", 20), weights("a", 80, "b", 20), []string{"primary a, canary b: 20"}},
		"the other way round":         {at("b", "", 0), weights("a", 80, "b", 20), []string{"primary b, canary a: 0", "primary b, canary a: 80"}},
		"astray past the middle":      {at(unknown, "", 0), weights("c", 0, "a", 20, "b", 80), []string{"primary a, canary : 0", "primary a, canary b: 0", "primary a, canary b: 80"}},
		"somebody else's release":     {at("z", "b", 20), weights("a", 80, "b", 20), []string{"primary a, canary b: 20"}},
		"a canary that leads astray":  {at("a", unknown, 100), weights("a", 80, "b", 20), []string{"primary a, canary b: 20"}},
		"nothing to do":               {at("a", "b", 20), weights("a", 80, "b", 20), nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := c.from
			if told := l.carry(t, c.want); !slices.Equal(told, c.told) {
				t.Errorf("%s, asked for %v:\n  %s\nwant\n  %s", c.from, c.want, strings.Join(told, "\n  "), strings.Join(c.told, "\n  "))
			}
		})
	}
}

// Whatever somebody has made of the two, no write gives a candidate more than is asked for,
// or than it had.
func TestACandidateNeverGetsMoreThanIsAskedFor(t *testing.T) {
	for percent := range 100 {
		want := weights("a", 100-percent, "b", percent)
		for _, primary := range []string{"", unknown, "a", "c"} {
			for _, canary := range []string{"", unknown, "a", "b", "c"} {
				for _, fit := range []bool{true, false} {
					l := legs{primary: primary, canary: canary, weight: 30, fit: fit, aged: true, alive: true}
					from, had := l.String(), share(l.weights(), "b")
					for range 8 {
						next := l.next(want)
						l.write(next)
						if got := share(l.weights(), "b"); next.verb != nothing && got > max(had, int32(percent)) {
							t.Fatalf("%s, asked for %v: %s gives b %d", from, want, l, got)
						}
						had = share(l.weights(), "b")
						l.settled = next.verb == nothing
					}
					if got := l.weights(); share(got, "b") != int32(percent) || share(got, "a") != int32(100-percent) {
						t.Fatalf("%s, asked for %v: in the end %s", from, want, l)
					}
				}
			}
		}
	}
}

// nginx is what ingress-nginx makes of the two: a reload for a new Service of the primary,
// and what it knows of endpoints from before.
type nginx struct {
	primary, canary string
	weight          int32
	// lists are the Services that something led to at the last sync.
	lists []string
}

// sync takes the two over. It gives the share of each release, while the sync goes on and
// after it; "503" is one.
func (n *nginx) sync(l legs, dead string) (during, after map[string]int32) {
	shares := func(listed []string, primary, canary string, weight int32) map[string]int32 {
		if primary == dead || !slices.Contains(listed, primary) {
			return map[string]int32{"503": 100}
		}
		if canary == "" || canary == primary || canary == dead || !slices.Contains(listed, canary) {
			return map[string]int32{primary: 100}
		}
		return map[string]int32{primary: 100 - weight, canary: weight}
	}
	during = shares(n.lists, l.primary, n.canary, n.weight)
	n.primary, n.canary, n.weight, n.lists = l.primary, l.canary, l.weight, []string{l.primary, l.canary}
	return during, shares(n.lists, n.primary, n.canary, n.weight)
}

// Whatever is asked for in whatever order, and whenever ingress-nginx looks: it answers
// no 503 while what the primary leads to lives, gives no release more than was asked for
// before or is now, and in the end does what is asked for.
func TestNoWriteLosesARequest(t *testing.T) {
	releases := []string{"a", "b", "c"}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := legs{primary: "a", alive: true, settled: true, fit: true, aged: true}
		n := &nginx{primary: "a", lists: []string{"a"}}
		now := weights("a", 100)
		// granted is what was asked for since ingress-nginx last had all that was.
		granted := now
		var told []string
		for range 12 {
			now = ask(r, l, now, releases)
			granted = union(granted, now)
			told = append(told, fmt.Sprintf("asked for %v", now))
			for range 6 {
				next := l.next(now)
				l.write(next)
				if next.verb != nothing {
					told = append(told, l.String())
				}
				// It looks after some writes, and not between others.
				settled := r.IntN(3) == 0
				if settled || r.IntN(2) == 0 {
					during, after := n.sync(l, "")
					told = append(told, fmt.Sprintf("nginx: %v, then %v", during, after))
					for _, does := range []map[string]int32{during, after} {
						for release, percent := range does {
							if percent > share(granted, release) {
								t.Fatalf("seed %d: %s gets %d\n%s", seed, release, percent, strings.Join(told, "\n"))
							}
						}
					}
				}
				l.settled = settled
				if settled && l.next(now).verb == nothing && !l.moving() {
					granted = now
				}
				if r.IntN(8) == 0 {
					break // Something else is asked for meanwhile: a rollback, say.
				}
			}
		}
	}
}

// ask for a step or for everything, as the planner does: parts are given only of what the
// primary leads to, once the route carries what was asked for before.
func ask(r *rand.Rand, l legs, before []v1alpha1.ReleaseWeight, releases []string) []v1alpha1.ReleaseWeight {
	to, other := releases[r.IntN(3)], releases[r.IntN(3)]
	if to == other || l.next(before).verb != nothing || l.moving() || l.primary != other || r.IntN(2) == 0 {
		if to == other {
			return weights(to, 100)
		}
		return weights(to, 100, other, 0)
	}
	percent := r.IntN(100)
	return weights(other, 100-percent, to, percent)
}

func union(a, b []v1alpha1.ReleaseWeight) []v1alpha1.ReleaseWeight {
	all := slices.Clone(b)
	for _, w := range a {
		if i := slices.IndexFunc(all, func(o v1alpha1.ReleaseWeight) bool { return o.ReleaseName == w.ReleaseName }); i < 0 {
			all = append(all, w)
		} else {
			all[i].WeightPercent = max(all[i].WeightPercent, w.WeightPercent)
		}
	}
	return all
}
