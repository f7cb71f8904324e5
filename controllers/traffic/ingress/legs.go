package ingress

import (
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// legs are the two Ingresses of a route, as far as they say where requests go.
type legs struct {
	// primary is the release that the primary leads to: "" where there is no primary,
	// unknown where it does not lead to one release.
	primary string
	// canary is the same of the canary, and weight its share in percent.
	canary string
	weight int32
	// fit: the canary is younger than the primary. See next. aged: what is made now will
	// be younger than both.
	fit, aged bool
	// alive: what the primary leads to has ready endpoints.
	alive bool
	// settled: the controller of the Ingress has taken over what was written last.
	settled bool
	// strays are what an Ingress leads to that does not lead to one release.
	strays []string
}

// unknown stands for a leg that does not lead to one release of the track.
const unknown = "?"

// step is a write of one of the two Ingresses; its zero value is none.
type step struct {
	verb    verb
	release string
	weight  int32
}

type verb int

const (
	nothing verb = iota
	// setPrimary leads the primary to a release; it is created where it is missing.
	setPrimary
	// setCanary leads the canary to a release with a weight; one that is missing is
	// created with weight 0.
	setCanary
	// deleteCanary gives its share to the primary.
	deleteCanary
)

// next is the next write on the way to the weights that are asked for, of which at
// most two releases have any. After each write requests go by what was asked for
// before, or by what is asked for now:
//
//	0 -> 20     canary new: 20
//	20 -> 100   primary new; canary old: 0
//	100 -> 0    primary old; canary new: 0      back to what the canary lists
//	20 -> 0     canary new: 0
//	else        canary it: 100; once that has settled primary it; canary ...: 0
//
// A primary that somebody has deleted, or led elsewhere, leads to the baseline again before
// the candidate has its share: no candidate ever gets more than was asked for.
//
// Three traits of ingress-nginx make the order:
//
//   - A primary without endpoints answers 503, whatever the weight of the canary. So the
//     primary goes to the release that has everything, before the canary goes, and before
//     the release that it led to is scaled down.
//   - A new Service of the primary is a reload, and for up to a second after it a Service
//     that nothing led to before has no endpoints. So the primary goes only to what the
//     canary leads to, and has for long enough. Where the primary is dead this costs
//     nothing, and is not waited for.
//   - What two Ingresses lead to is a canary's backend, and answers 404 as a primary's, if
//     the canary is the older of the two. So a canary that is not younger than its primary,
//     as a restore may leave it, is made anew.
func (l legs) next(want []v1alpha1.ReleaseWeight) step {
	switch {
	case l.primary == "" && l.canary != "":
		return step{verb: deleteCanary}
	case l.primary == "":
		return step{verb: setPrimary, release: baseline(want)}
	case l.canary != "" && !l.fit && !l.aged:
		return step{}
	case l.canary != "" && !l.fit:
		return step{verb: deleteCanary}
	case share(want, l.primary) > 0:
		return l.nextCanary(want)
	case l.primary == unknown || share(want, most(want)) < 100:
		return step{verb: setPrimary, release: baseline(want)}
	}
	return l.nextMove(most(want))
}

// nextCanary: the primary stays, and the canary has the rest.
func (l legs) nextCanary(want []v1alpha1.ReleaseWeight) step {
	i := slices.IndexFunc(want, func(w v1alpha1.ReleaseWeight) bool { return w.ReleaseName != l.primary && w.WeightPercent > 0 })
	if i < 0 {
		i = slices.IndexFunc(want, func(w v1alpha1.ReleaseWeight) bool { return w.ReleaseName != l.primary })
	}
	switch {
	case i < 0 && l.canary == "":
		return step{}
	case i < 0:
		return step{verb: deleteCanary}
	}
	return l.setCanary(want[i].ReleaseName, want[i].WeightPercent)
}

// nextMove: one release has everything, and the primary leads to another one.
func (l legs) nextMove(to string) step {
	if l.canary == to && l.settled || !l.alive {
		return step{verb: setPrimary, release: to}
	}
	return l.setCanary(to, 100)
}

func (l legs) setCanary(release string, weight int32) step {
	switch {
	case l.canary == "" && !l.aged, l.canary == release && l.weight == weight:
		return step{}
	case l.canary == "":
		weight = 0
	}
	return step{verb: setCanary, release: release, weight: weight}
}

// moving says whether the primary is still to follow the canary, which has everything.
func (l legs) moving() bool {
	return l.canary != "" && l.canary != l.primary && l.weight == 100
}

// weights are what the router does by the two. What nobody can tell may get everything.
func (l legs) weights() []v1alpha1.ReleaseWeight {
	var all []v1alpha1.ReleaseWeight
	add := func(release string, percent int32) {
		if release != "" && release != unknown {
			all = append(all, v1alpha1.ReleaseWeight{ReleaseName: release, WeightPercent: percent})
		}
	}
	for _, stray := range l.strays {
		add(stray, 100)
	}
	if l.canary == "" || l.canary == l.primary {
		add(l.primary, 100)
		return all
	}
	add(l.primary, 100-l.weight)
	add(l.canary, l.weight)
	return all
}

// baseline is the first of those that have a share: see rollout.WriteRoute.
func baseline(weights []v1alpha1.ReleaseWeight) string {
	for _, w := range weights {
		if w.WeightPercent > 0 {
			return w.ReleaseName
		}
	}
	return ""
}

func most(weights []v1alpha1.ReleaseWeight) string {
	release, percent := "", int32(-1)
	for _, w := range weights {
		if w.WeightPercent > percent {
			release, percent = w.ReleaseName, w.WeightPercent
		}
	}
	return release
}

func share(weights []v1alpha1.ReleaseWeight, release string) int32 {
	for _, w := range weights {
		if w.ReleaseName == release {
			return w.WeightPercent
		}
	}
	return 0
}
