package gatewayapi

import (
	"math"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// What the Gateway API allows: backends of a rule, and the weight of one.
const (
	maxRefs   = 16
	maxWeight = 1_000_000
)

// memory is what AnnotationAttached keeps of a route: what to give back to its author.
type memory struct {
	// Service and Port are those that stand for the component.
	Service string `json:"service"`
	Port    int64  `json:"port"`
	// Legs are the Services of releases that stand there instead.
	Legs []string `json:"legs"`
	// Rules are the backendRefs as their author wrote them, of each rule that has legs;
	// null for others.
	Rules [][]any `json:"rules"`
}

// rememberedBy an object; nothing where it has no such annotation, or one that is broken:
// rules with legs are then told by what they look like.
func rememberedBy(object client.Object) memory {
	var m memory
	if err := utiljson.Unmarshal([]byte(object.GetAnnotations()[v1alpha1.AnnotationAttached]), &m); err != nil {
		return memory{}
	}
	return m
}

// placeholder is the backend that stands for the component in a user's route.
type placeholder struct {
	namespace string
	service   string
	port      int64
	// known says whether a Service is that of a release of the track. It tells legs where
	// nothing is remembered; nil: whatever is called like one may be.
	known func(service string) bool
}

func standingFor(t traffic.Track, route v1alpha1.Route) placeholder {
	to := attachedTo(route)
	return placeholder{
		namespace: t.Namespace, service: to.ServiceName, port: int64(to.ServicePort),
		known: func(service string) bool {
			release, component, ok := resources.SplitChildName(service)
			if !ok || component != route.ComponentName {
				return false
			}
			_, ok = t.Port(release, component, route.PortName)
			return ok
		},
	}
}

// refsOf are the backends of a rule; none where it has none.
func refsOf(rule any) []any {
	fields, _ := rule.(map[string]any)
	refs, _ := fields["backendRefs"].([]any)
	return refs
}

// typed sees a backend with the fields that tell where it leads. What is none sees as one
// that leads nowhere.
func typed(ref any) gatewayv1.BackendRef {
	fields, _ := ref.(map[string]any)
	name, _ := fields["name"].(string)
	backend := gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
		Name: gatewayv1.ObjectName(name), Group: text[gatewayv1.Group](fields["group"]), Kind: text[gatewayv1.Kind](fields["kind"]),
		Namespace: text[gatewayv1.Namespace](fields["namespace"]), Port: number(fields["port"]),
	}, Weight: number(fields["weight"])}
	backendDefaults(&backend)
	return backend
}

func text[T ~string](value any) *T {
	if value, ok := value.(string); ok {
		return ptr.To(T(value))
	}
	return nil
}

// number is one of an object, or of a note in JSON.
func number(value any) *int32 {
	switch value := value.(type) {
	case int64:
		return ptr.To(int32(value))
	case float64:
		return ptr.To(int32(value))
	}
	return nil
}

// is says whether a backend is the one that stands for the component. With weight 0 it
// gets no requests, and is left as it is.
func (p placeholder) is(ref any) bool {
	b := typed(ref)
	return string(b.Name) == p.service && int64(ptr.Deref(b.Port, 0)) == p.port && *b.Weight > 0 && isService(p.namespace, b.BackendObjectReference)
}

func (p placeholder) isLeg(ref any, m memory) bool {
	b := typed(ref)
	name := string(b.Name)
	if !isService(p.namespace, b.BackendObjectReference) {
		return false
	}
	if m.Rules != nil {
		return slices.Contains(m.Legs, name)
	}
	_, _, ok := resources.SplitChildName(name)
	return ok && (p.known == nil || p.known(name))
}

func (p placeholder) count(refs []any) int {
	n := 0
	for _, ref := range refs {
		if p.is(ref) {
			n++
		}
	}
	return n
}

// fits says whether a rule has room for as many legs as there may be.
func (p placeholder) fits(refs []any) bool {
	return len(refs)+p.count(refs)*(rollout.MaxLegs-1) <= maxRefs
}

// runs are the legs of a rule, those of each placeholder apart, with their weights in
// percent of their run.
func (p placeholder) runs(refs []any, m memory) [][]gatewayv1.BackendRef {
	var all [][]gatewayv1.BackendRef
	begun := false
	for _, ref := range refs {
		leg := typed(ref)
		same := func(other gatewayv1.BackendRef) bool { return other.Name == leg.Name }
		switch {
		case !p.isLeg(ref, m):
			begun = false
			continue
		case !begun || slices.ContainsFunc(all[len(all)-1], same):
			all, begun = append(all, nil), true
		}
		all[len(all)-1] = append(all[len(all)-1], leg)
	}
	for _, legs := range all {
		sum := int64(0)
		for _, leg := range legs {
			sum += int64(*leg.Weight)
		}
		for i := range legs {
			legs[i].Weight = ptr.To(int32((int64(*legs[i].Weight)*100 + sum/2) / max(sum, 1)))
		}
	}
	return all
}

// original is what the author wrote as the backends of rule i of n; led: there are legs in
// it by now. What is remembered is found by what it looks like, so that rules may move;
// where somebody changed the backends too, by its place; and else the legs are taken for
// one backend.
func (p placeholder) original(i, n int, refs []any, m memory) (original []any, led bool) {
	runs := p.runs(refs, m)
	if len(runs) == 0 {
		return refs, false
	}
	places := []int{i}
	for j := range m.Rules {
		places = append(places, j)
	}
	old := placeholder{namespace: p.namespace, service: m.Service, port: m.Port}
	for _, j := range places {
		if j < len(m.Rules) && m.Rules[j] != nil && sameRefs(old.spread(m.Rules[j], runs[0]), refs) {
			return m.Rules[j], true
		}
	}
	if n == len(m.Rules) && m.Rules[i] != nil {
		return m.Rules[i], true
	}
	return p.gather(refs, m), true
}

// gather puts the placeholder where legs are that nobody remembers.
func (p placeholder) gather(refs []any, m memory) []any {
	var all []any
	for _, ref := range refs {
		if !p.isLeg(ref, m) {
			all = append(all, ref)
			continue
		}
		if p.count(all) == 0 {
			all = append(all, with(ref, p.service, p.port, 1))
		}
	}
	return all
}

// lead puts the legs into the rules, and says what has to be remembered. same: the rules
// are as they were, and so is what is remembered.
func (p placeholder) lead(rules []any, m memory, legs []gatewayv1.BackendRef) (now memory, same bool) {
	now, same = memory{Service: p.service, Port: p.port, Rules: make([][]any, len(rules))}, true
	for _, leg := range legs {
		now.Legs = append(now.Legs, string(leg.Name))
	}
	for i := range rules {
		refs := refsOf(rules[i])
		original, led := p.original(i, len(rules), refs, m)
		wanted, here := original, p.count(original) > 0 && p.fits(original)
		if here {
			now.Rules[i], wanted = original, p.spread(original, legs)
		}
		if (led || here) && !sameRefs(wanted, refs) {
			rules[i].(map[string]any)["backendRefs"], same = wanted, false
		}
	}
	return now, same && equality.Semantic.DeepEqual(now, m)
}

// spread puts the legs, with weights in percent, where backends name the placeholder, each
// as that is but for name, port and weight. Of requests, the placeholder's share is that
// of its legs together, and others keep theirs: exactly, where weights of up to a million
// can tell it.
func (p placeholder) spread(original []any, legs []gatewayv1.BackendRef) []any {
	if p.count(original) == 0 || len(legs) == 0 {
		return original
	}
	largest, divisor := int64(0), int64(0)
	for _, ref := range original {
		weight := int64(*typed(ref).Weight)
		parts := []int64{100}
		if p.is(ref) {
			parts = parts[:0]
			for _, leg := range legs {
				parts = append(parts, int64(*leg.Weight))
			}
		}
		for _, part := range parts {
			largest, divisor = max(largest, weight*part), gcd(divisor, weight*part)
		}
	}
	scale := func(weight, part int64) int64 { return weight * part }
	switch {
	case largest <= maxWeight:
	case largest/divisor <= maxWeight:
		scale = func(weight, part int64) int64 { return weight * part / divisor }
	default:
		// The legs tell percents exactly; how much they get together is rounded.
		factor := maxWeight / float64(largest)
		scale = func(weight, part int64) int64 {
			return int64(max(math.Floor(float64(weight)*factor), float64(min(weight, 1)))) * part
		}
	}
	var all []any
	for _, ref := range original {
		weight := int64(*typed(ref).Weight)
		if !p.is(ref) {
			all = append(all, with(ref, "", 0, min(scale(weight, 100), maxWeight)))
			continue
		}
		for _, leg := range legs {
			all = append(all, with(ref, string(leg.Name), int64(ptr.Deref(leg.Port, 0)), scale(weight, int64(*leg.Weight))))
		}
	}
	return all
}

// with is a copy of a backend with another weight, and another name and port where it has
// a name.
func with(ref any, name string, port, weight int64) any {
	fields := runtime.DeepCopyJSON(ref.(map[string]any))
	fields["weight"] = weight
	if name != "" {
		fields["name"], fields["port"] = name, port
	}
	return fields
}

// sameRefs compares what this version of the Gateway API knows of backends: so much is
// seen of an object from the cache.
func sameRefs(a, b []any) bool {
	return slices.EqualFunc(a, b, func(x, y any) bool { return equality.Semantic.DeepEqual(typed(x), typed(y)) })
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
