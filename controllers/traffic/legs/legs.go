package legs

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Leg is a release in a route object.
type Leg struct {
	Release string
	// Service of the release, and its port.
	Service string
	Port    int64
	// AppProtocol of that port; "" where the component says none.
	AppProtocol string
	// Weight in percent of all requests: those of the legs sum to 100.
	Weight int64
}

// spread gives what a record says to the releases that stand. What the others would have
// goes to the one that has the most of these; nobody has anything where nobody stands.
func spread(asked []v1alpha1.ReleaseWeight, stands func(release string) bool) []v1alpha1.ReleaseWeight {
	var standing []v1alpha1.ReleaseWeight
	lost, most := int32(0), 0
	for _, w := range asked {
		switch {
		case w.WeightPercent == 0:
		case !stands(w.ReleaseName):
			lost += w.WeightPercent
		default:
			standing = append(standing, w)
			if w.WeightPercent > standing[most].WeightPercent {
				most = len(standing) - 1
			}
		}
	}
	if len(standing) > 0 {
		standing[most].WeightPercent += lost
	}
	return standing
}

// standing are the legs that an object is to have: those that can serve, as long as any
// can. Where none can, those that it has stay, be they a part of what is asked for.
func standing(asked, has []v1alpha1.ReleaseWeight, serves func(release string) bool) []v1alpha1.ReleaseWeight {
	if legs := spread(asked, serves); len(legs) > 0 {
		return legs
	}
	if partOf(asked, has) {
		return has
	}
	return spread(asked, func(string) bool { return true })
}

// partOf says whether legs are what is asked for, but for releases that are left out.
func partOf(asked, has []v1alpha1.ReleaseWeight) bool {
	return len(has) > 0 && slices.Equal(has, spread(asked, func(release string) bool {
		return slices.ContainsFunc(has, func(w v1alpha1.ReleaseWeight) bool { return w.ReleaseName == release })
	}))
}

// leftOut names a release that has weight and no leg; "" where there is none.
func leftOut(asked, has []v1alpha1.ReleaseWeight) string {
	for _, w := range asked {
		if w.WeightPercent > 0 && !slices.ContainsFunc(has, func(l v1alpha1.ReleaseWeight) bool { return l.ReleaseName == w.ReleaseName }) {
			return w.ReleaseName
		}
	}
	return ""
}

// Settle is settleSeconds of a route, or what holds where it does not say.
func Settle(seconds *int32, otherwise time.Duration) time.Duration {
	if seconds == nil {
		return otherwise
	}
	return time.Duration(*seconds) * time.Second
}

func weightsOf(legs []Leg) []v1alpha1.ReleaseWeight {
	var weights []v1alpha1.ReleaseWeight
	for _, leg := range legs {
		weights = append(weights, v1alpha1.ReleaseWeight{ReleaseName: leg.Release, WeightPercent: int32(min(leg.Weight, 100))})
	}
	return weights
}

// note is what a record says, as an object bears it.
func note(asked []v1alpha1.ReleaseWeight) (string, error) {
	text, err := json.Marshal(asked)
	return string(text), err
}

// noted reads it. Somebody may have written anything there: then it is nothing.
func noted(text string) []v1alpha1.ReleaseWeight {
	var asked []v1alpha1.ReleaseWeight
	if json.Unmarshal([]byte(text), &asked) != nil {
		return nil
	}
	return asked
}
