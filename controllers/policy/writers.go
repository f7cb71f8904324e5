package policy

import (
	"slices"
	"strings"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Writers are what other writers may do to what a release runs, in order, each once, as
// lines of AnnotationWriters; none where nobody may do anything. What is not said by
// every policy that has writers is not allowed: it is a permission, and whoever leaves
// a writer out of a list did not mean it.
func (e Effective) Writers() []string {
	var allowed []string
	first := true
	for i := range e.policies {
		switch said := e.policies[i].Spec.Writers; {
		case said == nil:
		case first:
			allowed, first = WriterLines(said), false
		default:
			allowed = common(allowed, WriterLines(said))
		}
	}
	return allowed
}

// MayScale is the line of AnnotationWriters that lets a user change the number of pods.
func MayScale(username string) string { return "scale " + username }

// MayResize is the line of AnnotationWriters that lets a user change the resources of pods.
func MayResize(username string) string { return "resize " + username }

// MayWriteSizes says whether anybody may change the number of pods.
func (e Effective) MayWriteSizes() bool {
	return slices.ContainsFunc(e.Writers(), func(line string) bool { return strings.HasPrefix(line, MayScale("")) })
}

// WriterLines are the lines of some writers.
func WriterLines(writers []v1alpha1.NamedWriter) []string {
	var lines []string
	for i := range writers {
		lines = append(lines, linesOf(&writers[i])...)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// linesOf a writer. A username may have spaces, and so stands last; nothing has a line
// break, by the schema.
func linesOf(w *v1alpha1.NamedWriter) []string {
	var lines []string
	if a := w.PodAnnotator; a != nil {
		for _, key := range a.Annotations {
			lines = append(lines, "annotate "+key+" "+a.Username)
		}
	}
	if s := w.Scaler; s != nil {
		switch s.Target {
		case v1alpha1.ScaleReplicas:
			lines = append(lines, MayScale(s.Username))
		case v1alpha1.ScaleResources:
			lines = append(lines, MayResize(s.Username))
		}
	}
	if in := w.SidecarInjector; in != nil {
		for _, image := range in.Images {
			lines = append(lines, "inject "+image)
		}
	}
	if g := w.ReadinessGate; g != nil {
		lines = append(lines, "gate "+g.Domain+" "+g.Username)
	}
	return lines
}

// writerNames are those that may do anything, as the first policy that has writers calls
// them.
func (e Effective) writerNames() []string {
	allowed := e.Writers()
	var names []string
	for i := range e.policies {
		writers := e.policies[i].Spec.Writers
		for j := range writers {
			if len(common(linesOf(&writers[j]), allowed)) > 0 {
				names = append(names, writers[j].Name)
			}
		}
		if writers != nil {
			return names
		}
	}
	return names
}
