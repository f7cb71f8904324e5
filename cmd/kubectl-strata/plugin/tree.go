package plugin

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/strata-release/strata/api/v1alpha1"
)

// podsShown is how many ready pods of a component are shown; those that are not ready
// all are.
const podsShown = 5

// node is a line with what hangs below it.
type node struct {
	text string
	sub  []node
}

// tree is the view in lines.
func (v *trackView) tree(st style, now time.Time) string {
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "%s %s\n", st.paint(dim, fmt.Sprintf("%-9s", label)), text) }
	fmt.Fprintf(&b, "%s  %s\n", st.paint(bold, v.Namespace+"/"+v.Name), st.paint(stageColour(v.Stage), orNone(v.Stage, "not looked at by the operator yet")))
	line("stable", orNone(v.Stable, "none yet"))
	if v.Candidate != "" {
		line("candidate", fmt.Sprintf("%s, attempt %d", v.Candidate, v.Attempt))
	}
	switch {
	case v.BlockedBy != nil:
		line("waits for", fmt.Sprintf("%s (%s): %s", st.paint(yellow, v.BlockedBy.Gate), v.BlockedBy.Reason, oneLine(v.BlockedBy.Message)))
	case v.Message != "":
		line("says", oneLine(v.Message))
	}
	if next := v.next(now); next != "" {
		line("next", next)
	}
	for _, release := range v.Releases {
		b.WriteByte('\n')
		release.node(st, now).write(&b)
	}
	switch {
	case v.Idle == 1:
		fmt.Fprintf(&b, "\n%s\n", st.paint(dim, "and 1 idle release (--all)"))
	case v.Idle > 1:
		fmt.Fprintf(&b, "\n%s\n", st.paint(dim, fmt.Sprintf("and %d idle releases (--all)", v.Idle)))
	}
	if v.Unseen != "" {
		fmt.Fprintf(&b, "\n%s\n", v.Unseen)
	}
	return b.String()
}

// next is the step that comes next, and when; "" without an open attempt.
func (v *trackView) next(now time.Time) string {
	if v.Candidate == "" {
		return ""
	}
	what := "the promotion of " + v.Candidate
	if v.NextWeightPercent > 0 {
		what = fmt.Sprintf("%d %%", v.NextWeightPercent)
	}
	if v.NextStepTime == nil {
		return what
	}
	if left := v.NextStepTime.Sub(now); left > 0 {
		return fmt.Sprintf("%s, not before %s (in %s)", what, stamp(v.NextStepTime.Time), duration.HumanDuration(left))
	}
	return what + ", once all gates hold"
}

func (r releaseView) node(st style, now time.Time) node {
	words := []string{st.paint(bold, r.Name), st.paint(roleColours[r.Role], r.Role), bar(r.WeightPercent), fmt.Sprintf("%d %%", r.WeightPercent)}
	if r.Verdict != "" {
		words = append(words, st.paint(verdictColour(r.Verdict), r.Verdict))
	}
	n := node{text: strings.Join(words, "  ")}
	for _, c := range r.Components {
		n.sub = append(n.sub, c.node(st))
	}
	for _, t := range r.Tests {
		n.sub = append(n.sub, testNode(st, t, now))
	}
	return n
}

func (c componentView) node(st style) node {
	if c.Replicas == 0 && len(c.Pods) == 0 {
		return node{text: c.Name + "  no pods"}
	}
	colour := green
	if c.ReadyReplicas < c.Replicas {
		colour = yellow
	}
	n := node{text: c.Name + "  " + st.paint(colour, fmt.Sprintf("%d/%d ready", c.ReadyReplicas, c.Replicas))}
	ready := 0
	for _, pod := range c.Pods {
		if pod.Ready && pod.Phase != "Terminating" {
			if ready++; ready > podsShown {
				continue
			}
		}
		n.sub = append(n.sub, pod.node(st))
	}
	if ready > podsShown {
		n.sub = append(n.sub, node{text: st.paint(dim, fmt.Sprintf("and %d ready pods more", ready-podsShown))})
	}
	return n
}

func (p podView) node(st style) node {
	switch {
	case p.Phase == "Terminating":
		return node{text: p.Name + "  " + st.paint(dim, p.Phase)}
	case p.Ready:
		return node{text: p.Name + "  " + st.paint(green, "ready")}
	case p.Trouble != "":
		return node{text: p.Name + "  " + st.paint(red, oneLine(p.Trouble))}
	}
	return node{text: p.Name + "  " + st.paint(yellow, orNone(p.Phase, "Unknown")+", not ready")}
}

func testNode(st style, t v1alpha1.TestStatus, now time.Time) node {
	text := "test " + t.Name
	if t.WeightPercent != nil {
		text += fmt.Sprintf(" at %d %%", *t.WeightPercent)
	}
	colour := map[v1alpha1.TestOutcome]string{v1alpha1.TestPassed: green, v1alpha1.TestFailed: red, v1alpha1.TestRunning: yellow}[t.Outcome]
	text += "  " + st.paint(colour, string(t.Outcome))
	switch {
	case t.StartTime == nil:
	case t.CompletionTime != nil:
		text += " in " + duration.HumanDuration(t.CompletionTime.Sub(t.StartTime.Time))
	case t.Outcome == v1alpha1.TestRunning:
		text += " for " + duration.HumanDuration(now.Sub(t.StartTime.Time))
	}
	if t.Message != "" {
		text += ": " + oneLine(t.Message)
	}
	return node{text: text}
}

func (n node) write(b *strings.Builder) {
	b.WriteString(n.text + "\n")
	writeBelow(b, n.sub, "")
}

func writeBelow(b *strings.Builder, nodes []node, indent string) {
	for i, n := range nodes {
		branch, below := "├─ ", "│  "
		if i == len(nodes)-1 {
			branch, below = "└─ ", "   "
		}
		b.WriteString(indent + branch + n.text + "\n")
		writeBelow(b, n.sub, indent+below)
	}
}

var roleColours = map[string]string{roleStable: green, roleCandidate: yellow, roleServing: yellow, roleIdle: dim}

func stageColour(stage string) string {
	switch stage {
	case "Settled":
		return green
	case "Stalled":
		return red
	}
	return yellow
}

func verdictColour(verdict string) string {
	switch event := v1alpha1.RecordEvent(verdict); {
	case event == v1alpha1.EventPromoted:
		return green
	case event.IsNegative():
		return red
	}
	return dim
}

func orNone(text, none string) string {
	if text == "" {
		return none
	}
	return text
}
