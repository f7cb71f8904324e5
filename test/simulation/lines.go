package simulation

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// String tells of a write of an operator.
func (w written) String() string {
	name := w.object().GetName()
	switch o := w.after.(type) {
	case *v1alpha1.ReleaseRecord:
		return recordLine(&o.Spec)
	case *appsv1.Deployment:
		return fmt.Sprintf("%s Deployment %s (%d, record %d)", w.verb, name, *o.Spec.Replicas, resources.StampOf(o))
	case *autoscalingv2.HorizontalPodAutoscaler:
		return fmt.Sprintf("%s HorizontalPodAutoscaler %s (%d to %d, record %d)", w.verb, name, *o.Spec.MinReplicas, o.Spec.MaxReplicas, resources.StampOf(o))
	case *unstructured.Unstructured:
		return fmt.Sprintf("%s TraefikService %s (%s of %s, record %d)", w.verb, name, world.Shares(legsOf(o)), world.Backends(askedOf(o)), resources.StampOf(o))
	case *v1alpha1.ReleaseTrack:
		return "status of the track: " + statusLine(o)
	case *v1alpha1.ImmutableRelease:
		if w.verb == "patch" {
			return fmt.Sprintf("mark %s: held by record %d", name, resources.HeldBy(o))
		}
		return "status of " + name + ": " + statusLine(o)
	}
	if route, weights, ok := carried(w.after); ok {
		return fmt.Sprintf("%s route %s: %s (record %d)", w.verb, route, world.Backends(weights), resources.StampOf(w.after))
	}
	return fmt.Sprintf("%s %s %s", w.verb, w.kind, name)
}

func statusLine(object conditioned) string {
	ready := condition(object, v1alpha1.ConditionReady)
	if ready == nil {
		return "not said"
	}
	line := fmt.Sprintf("Ready %s %s: %s", ready.Status, ready.Reason, ready.Message)
	_, conditions := conditionsOf(object)
	for _, c := range conditions {
		if c.Type != v1alpha1.ConditionReady && c.Type != v1alpha1.ConditionDrifted {
			line += fmt.Sprintf(" | %s %s %s", c.Type, c.Status, c.Reason)
		}
	}
	return line
}

func recordLine(spec *v1alpha1.ReleaseRecordSpec) string {
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
			fmt.Fprintf(&line, "; %s = %s", route.Name, world.Shares(route.Weights))
		}
	}
	return line.String()
}

func trackLine(spec *v1alpha1.ReleaseTrackSpec) string {
	var parts []string
	for _, route := range spec.Traffic.Routes {
		parts = append(parts, fmt.Sprintf("route %s (%s, %s)", route.Name, route.Type, route.ComponentName))
	}
	for _, step := range spec.Rollout.Steps {
		part := fmt.Sprintf("%d %% for %d s", step.WeightPercent, *step.HoldSeconds)
		if step.Approval != "" {
			part += ", approved"
		}
		parts = append(parts, part)
	}
	for _, policy := range []string{string(spec.Rollout.FailurePolicy), string(spec.Rollout.SupersedePolicy), string(spec.Rollout.AdvancePolicy), string(spec.Rollout.Capacity)} {
		if policy != "" {
			parts = append(parts, policy)
		}
	}
	if len(spec.Requires) > 0 {
		parts = append(parts, "requires "+RequiredNamespace)
	}
	return strings.Join(append(parts, fmt.Sprintf("bake %d s, drain %d s, warm %d for %d s",
		*spec.Rollout.BakeSeconds, *spec.Traffic.DrainSeconds, *spec.Retention.WarmReleases, *spec.Retention.WarmSeconds)), "; ")
}

func releaseLine(r *v1alpha1.ImmutableRelease, s *script) string {
	var line strings.Builder
	fmt.Fprintf(&line, "%s, version %s, of", r.Name, r.Spec.Version)
	for _, c := range r.Spec.Components {
		fmt.Fprintf(&line, " %s (%d)", c.Name, c.Replicas)
	}
	fmt.Fprintf(&line, "; pods take %s", s.readyAfter)
	if s.broken {
		line.WriteString(" and fail")
	}
	if s.refused {
		line.WriteString("; policies refuse its images")
	}
	for _, t := range r.Spec.Tests {
		played := s.tests[t.Name]
		fmt.Fprintf(&line, "; %s test %s takes %s", t.When, t.Name, played.after)
		switch {
		case played.hangs:
			line.WriteString(" and hangs")
		case played.fails:
			line.WriteString(" and fails")
		}
	}
	return line.String()
}

func releaseOf(child string) string {
	release, _, _ := resources.SplitChildName(child)
	return release
}
