package world

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Shares puts weights into words, zeros left out: "shop-1 80, shop-2 20".
func Shares(weights []v1alpha1.ReleaseWeight) string {
	return Backends(slices.DeleteFunc(slices.Clone(weights), func(s v1alpha1.ReleaseWeight) bool { return s.WeightPercent == 0 }))
}

// Backends puts weights into words, zeros included: "shop-1 100, shop-2 0".
func Backends(weights []v1alpha1.ReleaseWeight) string {
	var parts []string
	for _, s := range slices.SortedFunc(slices.Values(weights), func(a, b v1alpha1.ReleaseWeight) int {
		return cmp.Compare(a.ReleaseName, b.ReleaseName)
	}) {
		parts = append(parts, fmt.Sprintf("%s %d", s.ReleaseName, s.WeightPercent))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// recordLine tells of a record: what it says, and the weights that it sets.
func (w *World) recordLine(spec *v1alpha1.ReleaseRecordSpec) string {
	var line strings.Builder
	fmt.Fprintf(&line, "#%d %s", spec.Sequence, spec.Event)
	if spec.Release != nil {
		fmt.Fprintf(&line, " %s", spec.Release.Name)
		if spec.Release.Attempt > 1 {
			fmt.Fprintf(&line, " (attempt %d)", spec.Release.Attempt)
		}
	}
	fmt.Fprintf(&line, " %s: %s", spec.Reason, spec.Message)
	if spec.ActionName != "" {
		fmt.Fprintf(&line, " [%s]", spec.ActionName)
	}
	for _, route := range spec.State.Routes {
		if route.SetSequence == spec.Sequence && spec.Event != v1alpha1.EventRetired {
			fmt.Fprintf(&line, "; %s = %s", route.Name, Shares(route.Weights))
		}
	}
	return line.String()
}
