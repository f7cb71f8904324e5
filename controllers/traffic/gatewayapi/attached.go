package gatewayapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// An attached route is the user's. Where its rules name the Service that stands for the
// component, the operator puts the legs; that, and marks in its metadata, is all that it
// writes. Whoever applies the route anew takes the legs out: then every request goes to
// that Service, until they are back. No finalizer and no guard is on it.

func attachedTo(route v1alpha1.Route) *v1alpha1.GatewayAPIAttachment {
	if route.GatewayAPI == nil {
		return nil
	}
	return route.GatewayAPI.AttachTo
}

// isAttached says whether an object is a user's that a track has attached to.
func isAttached(object client.Object) bool {
	return object.GetLabels()[v1alpha1.LabelAttached] != ""
}

func attachedBy(object client.Object, t traffic.Track, route string) bool {
	return object.GetLabels()[v1alpha1.LabelTrack] == t.Name && object.GetLabels()[v1alpha1.LabelAttached] == route
}

// observeAttached reads a route of the user's that exists.
func (p *Provider) observeAttached(ctx context.Context, t traffic.Track, route v1alpha1.Route, live routeObject) (traffic.Observed, error) {
	name := fmt.Sprintf("%s %s/%s", live.kind(), live.GetNamespace(), live.GetName())
	ours := attachedBy(live, t, route.Name)
	facts := rollout.Route{
		Name: route.Name, Type: route.Type,
		Reason: traffic.ReasonMissing, Message: name + " does not lead to releases yet",
	}
	rules, err := rulesOf(live)
	if err != nil {
		return traffic.Observed{}, err
	}
	if ours {
		facts = p.factsOf(ctx, route.Name, live)
	}
	reason, message := refuses(t, route, live, rules)
	if ours {
		backends, lacking := renderBackends(t, route, facts.Weights, live)
		_, same := standingFor(t, route).lead(rules, rememberedBy(live), backends)
		facts.Current = lacking == "" && same
		switch {
		case lacking != "":
			facts.Reason, facts.Message = traffic.ReasonNoPort, noPort(lacking, route)
		case !same:
			facts.Reason, facts.Message = traffic.ReasonChanged, name+" is not what the track asks for, and is put right"
		}
	}
	if reason != "" {
		facts.Reason, facts.Message, facts.Verified = reason, name+" "+message, false
		// What has releases already can still be led back.
		if !ours || reason == traffic.ReasonServiceNotReferenced {
			facts.Presence, facts.Unwatched = rollout.Foreign, !ours
		}
		return traffic.Observed{Route: facts, Object: live.raw()}, nil
	}
	rival, err := p.rival(ctx, t, live, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	if rival != nil {
		facts.Reason, facts.Message, facts.Verified = traffic.ReasonConflict, conflictMessage(rival), false
		if !ours {
			facts.Presence = rollout.Foreign
		}
	}
	return traffic.Observed{Route: facts, Object: live.raw()}, nil
}

// refuses says why a route of the user's cannot have legs; "" where it can.
func refuses(t traffic.Track, route v1alpha1.Route, live routeObject, rules []any) (reason, message string) {
	to, labels := attachedTo(route), live.GetLabels()
	if owner := labels[v1alpha1.LabelTrack]; owner != "" && !attachedBy(live, t, route.Name) {
		return traffic.ReasonAttachedElsewhere, fmt.Sprintf("is a route of track %s (%s): take it out of that one's spec.traffic, or name another route in attachTo",
			owner, labels[v1alpha1.LabelRoute]+labels[v1alpha1.LabelAttached])
	}
	if owner := metav1.GetControllerOf(live); owner != nil {
		return traffic.ReasonControlled, fmt.Sprintf("is written by %s %s, which would take the backends out again: name a route in attachTo that nothing else writes", owner.Kind, owner.Name)
	}
	place, remembered, stands := standingFor(t, route), rememberedBy(live), false
	if place.known(to.ServiceName) {
		return traffic.ReasonServiceNotReferenced, "cannot have one release stand for all: Service " + to.ServiceName + " in attachTo is a release's own; name another, best that of a route of type Service"
	}
	for i, rule := range rules {
		original, _ := place.original(i, len(rules), refsOf(rule), remembered)
		if stands = stands || place.count(original) > 0; !place.fits(original) {
			return traffic.ReasonRuleFull, fmt.Sprintf("has %d backends in rule %d, and Service %s stands for up to %d: a rule may have %d in all",
				len(original), i, to.ServiceName, rollout.MaxLegs, maxRefs)
		}
	}
	if !stands {
		return traffic.ReasonServiceNotReferenced, fmt.Sprintf("has no backend Service %s with port %d and a weight above 0: name it in the rules that are to lead to the releases", to.ServiceName, to.ServicePort)
	}
	return "", ""
}

// lead writes the legs under the resourceVersion of live, or nothing where nothing differs.
func (p *Provider) lead(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, live routeObject) (client.Object, error) {
	name, stamp := fmt.Sprintf("%s %s/%s", live.kind(), live.GetNamespace(), live.GetName()), resources.StampOf(live)
	if err := traffic.CheckStamp(stamp, write.Sequence); err != nil {
		return nil, fmt.Errorf("update %s: %w", name, err)
	}
	backends, lacking := renderBackends(t, route, write.Weights, live)
	if lacking != "" {
		return nil, fmt.Errorf("render %s: %s", name, noPort(lacking, route))
	}
	object, rules, err := p.whole(ctx, live)
	if err != nil {
		return nil, err
	}
	remembers, same := standingFor(t, route).lead(rules, rememberedBy(object), backends)
	if same && stamp == write.Sequence && attachedBy(object, t, route.Name) {
		return nil, nil
	}
	note, err := json.Marshal(remembers)
	if err != nil {
		return nil, fmt.Errorf("encode the backends of %s: %w", name, err)
	}
	setKeys(object.GetLabels, object.SetLabels, map[string]string{v1alpha1.LabelTrack: t.Name, v1alpha1.LabelAttached: route.Name})
	setKeys(object.GetAnnotations, object.SetAnnotations, map[string]string{v1alpha1.AnnotationAttached: string(note)})
	resources.Stamp(object, write.Sequence)
	return p.put(ctx, object, rules, live)
}

// Detach implements traffic.Detacher: the backends are what the author wrote, and no mark
// is left.
func (p *Provider) Detach(ctx context.Context, observed traffic.Observed) (client.Object, error) {
	live := view(observed.Object)
	object, rules, err := p.whole(ctx, live)
	if err != nil {
		return nil, err
	}
	remembered := rememberedBy(object)
	if remembered.Rules == nil {
		return nil, fmt.Errorf("%s %s/%s: its annotation %s is gone or broken, and does not tell what its author wrote: apply it anew without the labels %s and %s",
			live.kind(), live.GetNamespace(), live.GetName(), v1alpha1.AnnotationAttached, v1alpha1.LabelTrack, v1alpha1.LabelAttached)
	}
	place := placeholder{namespace: object.GetNamespace(), service: remembered.Service, port: remembered.Port}
	for i := range rules {
		if original, led := place.original(i, len(rules), refsOf(rules[i]), remembered); led {
			rules[i].(map[string]any)["backendRefs"] = original
		}
	}
	setKeys(object.GetLabels, object.SetLabels, map[string]string{v1alpha1.LabelTrack: "", v1alpha1.LabelAttached: ""})
	setKeys(object.GetAnnotations, object.SetAnnotations, map[string]string{v1alpha1.AnnotationAttached: "", v1alpha1.AnnotationSequence: ""})
	return p.put(ctx, object, rules, live)
}

// whole reads the object that was observed once more, with all the fields that the API
// server has: those of other versions of the Gateway API as well.
func (p *Provider) whole(ctx context.Context, live routeObject) (*unstructured.Unstructured, []any, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gatewayKind(live.kind()))
	if err := p.live.Get(ctx, client.ObjectKeyFromObject(live), object); err != nil {
		return nil, nil, fmt.Errorf("get %s %s/%s: %w", live.kind(), live.GetNamespace(), live.GetName(), err)
	}
	if object.GetResourceVersion() != live.GetResourceVersion() {
		resource := schema.GroupResource{Group: gatewayv1.GroupName, Resource: live.kind()}
		return nil, nil, apierrors.NewConflict(resource, live.GetName(), errors.New("it was written since it was observed"))
	}
	rules, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
	return object, rules, err
}

func (p *Provider) put(ctx context.Context, object *unstructured.Unstructured, rules []any, live routeObject) (client.Object, error) {
	if err := unstructured.SetNestedSlice(object.Object, rules, "spec", "rules"); err != nil {
		return nil, fmt.Errorf("set the rules of %s %s/%s: %w", live.kind(), live.GetNamespace(), live.GetName(), err)
	}
	if err := p.client.Update(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return nil, fmt.Errorf("update %s %s/%s: %w", live.kind(), live.GetNamespace(), live.GetName(), err)
	}
	return live.raw(), nil
}

// setKeys sets keys of labels or annotations; those with an empty value go. A map that is
// empty then goes too.
func setKeys(get func() map[string]string, set func(map[string]string), keys map[string]string) {
	all := get()
	if all == nil {
		all = map[string]string{}
	}
	for key, value := range keys {
		if all[key] = value; value == "" {
			delete(all, key)
		}
	}
	if len(all) == 0 {
		all = nil
	}
	set(all)
}

// rulesOf are the rules of an object that may be shared with the cache, as JSON has them.
func rulesOf(live routeObject) ([]any, error) {
	var spec any
	switch object := live.raw().(type) {
	case *gatewayv1.HTTPRoute:
		spec = &object.Spec
	case *gatewayv1.GRPCRoute:
		spec = &object.Spec
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", live.kind(), live.GetNamespace(), live.GetName(), err)
	}
	rules, _ := fields["rules"].([]any)
	return rules, nil
}

// legsOf reads the weights of an attached route, zeros included, in the order of its legs.
// Rules that disagree give each release the most that any gives it.
func legsOf(live routeObject) []v1alpha1.ReleaseWeight {
	rules, err := rulesOf(live)
	if err != nil {
		return nil
	}
	remembered := rememberedBy(live)
	place := placeholder{namespace: live.GetNamespace(), service: remembered.Service, port: remembered.Port}
	var weights []v1alpha1.ReleaseWeight
	for _, rule := range rules {
		for _, legs := range place.runs(refsOf(rule), remembered) {
			for _, leg := range legs {
				if release, _, ok := resources.SplitChildName(string(leg.Name)); ok {
					weights = raise(weights, release, *leg.Weight)
				}
			}
		}
	}
	return weights
}
