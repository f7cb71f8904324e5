package gatewayapi

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// front is a route as a user has it, with fields that the types of this version of the
// Gateway API do not know.
const front = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: front
  namespace: shop
  annotations: {team: checkout}
spec:
  parentRefs:
  - {name: public, namespace: infra, sectionName: https}
  - {name: private, namespace: infra}
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /}, statusCode: 301}}]
  - name: everything
    matches: [{path: {type: PathPrefix, value: /}}]
    filters:
    - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Via, value: front}]}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: audit, port: 80}}}
    shinyNewField: {stays: true}
    backendRefs:
    - {group: "", kind: Service, name: shop-web, port: 80, weight: 1}
  - matches: [{path: {type: PathPrefix, value: /beta}}]
    backendRefs:
    - name: shop-web
      port: 80
      weight: 3
      shinyNewField: of a backend
      filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-From, value: shop}]}}]
    - {name: legacy, port: 8080, weight: 1}
    - {name: shop-web, port: 9090, weight: 0}
  - matches: [{path: {type: PathPrefix, value: /metrics}}]
    backendRefs:
    - {name: shop-web, port: 9090}
`

// shelf is an API in memory that keeps every field.
type shelf struct {
	client.Client
	t       *testing.T
	objects map[string]*unstructured.Unstructured
	told    *strings.Builder
	version int
}

func (s *shelf) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	found := s.objects[key.Name]
	if _, typed := into.(*gatewayv1.GRPCRoute); found == nil || typed {
		return apierrors.NewNotFound(schema.GroupResource{Group: gatewayv1.GroupName, Resource: "httproutes"}, key.Name)
	}
	if raw, ok := into.(*unstructured.Unstructured); ok {
		found.DeepCopyInto(raw)
		return nil
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(found.Object, into)
}

func (s *shelf) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	routes, ok := list.(*gatewayv1.HTTPRouteList)
	if !ok {
		return nil
	}
	asked := (&client.ListOptions{}).ApplyOptions(options).FieldSelector.Requirements()[0]
	for _, object := range s.objects {
		route := gatewayv1.HTTPRoute{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &route); err != nil {
			return err
		}
		extract := map[string]client.IndexerFunc{indexClaim: byClaim, traffic.IndexTrack: traffic.ByTrack}[asked.Field]
		if slices.Contains(extract(&route), asked.Value) && route.Labels[v1alpha1.LabelTrack] != "" {
			routes.Items = append(routes.Items, route)
		}
	}
	return nil
}

func (s *shelf) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	raw, found := object.(*unstructured.Unstructured), s.objects[object.GetName()]
	if found.GetResourceVersion() != raw.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{}, object.GetName(), fmt.Errorf("written since"))
	}
	s.put(raw)
	fields := map[string]any{"labels": raw.GetLabels(), "annotations": raw.GetAnnotations()}
	text, err := yaml.Marshal(map[string]any{"metadata": fields, "spec": raw.Object["spec"]})
	if err != nil {
		return err
	}
	s.told.WriteString("update HTTPRoute " + raw.GetName() + "\n" + string(text))
	return nil
}

func (s *shelf) put(object *unstructured.Unstructured) {
	s.version++
	stored := object.DeepCopy()
	stored.SetResourceVersion(strconv.Itoa(s.version))
	s.objects[object.GetName()] = stored
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}

// named is the track shop, of which shop is no release.
func named() traffic.Track {
	t := shop()
	port := t.Port
	t.Port = func(release, component, name string) (v1alpha1.ComponentPort, bool) {
		if release == "shop" {
			return v1alpha1.ComponentPort{}, false
		}
		return port(release, component, name)
	}
	return t
}

// attached is a track that attaches to front, over such an API.
type attached struct {
	*shelf
	*Provider
	route    v1alpha1.Route
	sequence int64
}

func attach(t *testing.T, objects ...*unstructured.Unstructured) *attached {
	s := &shelf{t: t, objects: map[string]*unstructured.Unstructured{}, told: &strings.Builder{}}
	for _, object := range objects {
		s.put(object)
	}
	return &attached{shelf: s, Provider: New(s, s, time.Now), route: v1alpha1.Route{
		Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
		GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: KindHTTPRoute, AttachTo: &v1alpha1.GatewayAPIAttachment{RouteName: "front", ServiceName: "shop-web", ServicePort: 80}},
	}}
}

func (a *attached) see() traffic.Observed {
	a.t.Helper()
	seen, err := a.Observe(a.t.Context(), named(), a.route)
	if err != nil {
		a.t.Fatal(err)
	}
	return seen
}

// write makes the route carry the weights, by at most one write, and looks whether that
// shows.
func (a *attached) write(weights []v1alpha1.ReleaseWeight) {
	a.t.Helper()
	a.sequence++
	write := rollout.WriteRoute{Route: "public", Weights: weights, Sequence: a.sequence}
	if _, err := a.Apply(a.t.Context(), named(), a.route, write, a.see()); err != nil {
		a.t.Fatal(err)
	}
	seen := a.see()
	if !reflect.DeepEqual(seen.Route.Weights, weights) || !seen.Route.Current || seen.Route.Presence != rollout.Ours || seen.Route.Sequence != a.sequence {
		a.t.Fatalf("asked for %v, and seen is %+v", weights, seen.Route)
	}
	written := a.version
	if again, err := a.Apply(a.t.Context(), named(), a.route, write, seen); err != nil || again != nil || a.version != written {
		a.t.Fatal("written again, or not:", err)
	}
}

func (a *attached) leave() {
	a.t.Helper()
	left, err := a.Leftovers(a.t.Context(), named(), nil)
	if err != nil || len(left) != 1 || !left[0].Route.Orphaned || left[0].Route.Attached != "HTTPRoute front" {
		a.t.Fatal("left over:", left, err)
	}
	if _, err := a.Detach(a.t.Context(), left[0]); err != nil {
		a.t.Fatal(err)
	}
	if left, _ := a.Leftovers(a.t.Context(), named(), nil); len(left) > 0 {
		a.t.Fatal("still left over:", left)
	}
}

// text is all of an object but for what the API server owns.
func (a *attached) text(name string) string {
	object := a.objects[name].DeepCopy()
	object.SetResourceVersion("")
	text, err := json.MarshalIndent(object.Object, "", " ")
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

func (a *attached) edit(change func(object map[string]any, rules []any)) {
	object := a.objects["front"].DeepCopy()
	rules, _, _ := unstructured.NestedSlice(object.Object, "spec", "rules")
	change(object.Object, rules)
	if err := unstructured.SetNestedSlice(object.Object, rules, "spec", "rules"); err != nil {
		a.t.Fatal(err)
	}
	a.shelf.put(object)
}

// A user's route through a rollout, a rollback, a retirement, and back to its author.
func TestAttachedStory(t *testing.T) {
	a := attach(t, parsed(t, front))
	before := a.text("front")
	if seen := a.see().Route; seen.Presence != rollout.Missing || seen.Reason != traffic.ReasonMissing || seen.Unwatched {
		t.Fatalf("%+v", seen)
	}
	for _, step := range []struct {
		what    string
		weights []v1alpha1.ReleaseWeight
	}{
		{"the baseline", weights("shop-1", 100)},
		{"the candidate is listed", weights("shop-1", 100, "shop-9", 0)},
		{"20 percent", weights("shop-1", 80, "shop-9", 20)},
		{"50 percent", weights("shop-1", 50, "shop-9", 50)},
		{"all", weights("shop-1", 0, "shop-9", 100)},
		{"rolled back", weights("shop-1", 100, "shop-9", 0)},
		{"retired", weights("shop-1", 100)},
	} {
		fmt.Fprintf(a.told, "# %s\n", step.what)
		a.write(step.weights)
	}
	a.told.WriteString("# given back\n")
	a.leave()
	if after := a.text("front"); after != before {
		t.Errorf("given back is\n%s\nand was\n%s", after, before)
	}
	const golden = "testdata/attached.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(a.told.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if a.told.String() != string(want) {
		t.Errorf("the writes are others than in %s: look at the difference after -update\n%s", golden, a.told)
	}
}

func weightIn(rules []any, rule, ref int) map[string]any {
	return refsOf(rules[rule])[ref].(map[string]any)
}

// What authors and others do to an attached route, and what becomes of it.
func TestAttachedChanges(t *testing.T) {
	added := map[string]any{"matches": []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/new"}}},
		"backendRefs": []any{map[string]any{"name": "shop-web", "port": int64(80)}}}
	for name, c := range map[string]struct {
		change func(object map[string]any, rules []any)
		// legs of each rule once it is put right.
		legs []int
		// theirs: it is not put right, as it is the author's.
		theirs bool
		// kept: the change is given back as well.
		kept bool
	}{
		"applied anew": {change: func(_ map[string]any, rules []any) {
			first, _, _ := unstructured.NestedSlice(parsed(t, front).Object, "spec", "rules")
			copy(rules, first)
		}, legs: []int{0, 2, 2, 0}},
		"one rule applied anew": {change: func(_ map[string]any, rules []any) {
			first, _, _ := unstructured.NestedSlice(parsed(t, front).Object, "spec", "rules")
			rules[2] = first[2]
		}, legs: []int{0, 2, 2, 0}},
		"weights by hand":  {change: func(_ map[string]any, rules []any) { weightIn(rules, 1, 0)["weight"] = int64(1) }, legs: []int{0, 2, 2, 0}},
		"a share by hand":  {change: func(_ map[string]any, rules []any) { weightIn(rules, 2, 2)["weight"] = int64(9) }, legs: []int{0, 2, 2, 0}},
		"a leg taken away": {change: func(_ map[string]any, rules []any) { rules[1].(map[string]any)["backendRefs"] = refsOf(rules[1])[:1] }, legs: []int{0, 2, 2, 0}},
		"rules in another order": {change: func(_ map[string]any, rules []any) { rules[1], rules[2] = rules[2], rules[1] },
			legs: []int{0, 2, 2, 0}, kept: true},
		"the annotation lost": {change: func(object map[string]any, _ []any) {
			unstructured.RemoveNestedField(object, "metadata", "annotations", v1alpha1.AnnotationAttached)
		}, legs: []int{0, 2, 2, 0}},
		"a hostname": {change: func(object map[string]any, _ []any) {
			object["spec"].(map[string]any)["hostnames"] = []any{"other.example.com"}
		}, legs: []int{0, 2, 2, 0}, theirs: true, kept: true},
		"another rule":       {change: func(_ map[string]any, rules []any) { weightIn(rules, 3, 0)["name"] = "metrics" }, legs: []int{0, 2, 2, 0}, theirs: true, kept: true},
		"a rule of ours now": {change: func(_ map[string]any, rules []any) { rules[3] = runtime.DeepCopyJSON(added) }, legs: []int{0, 2, 2, 2}, kept: true},
		"a rule not ours": {change: func(_ map[string]any, rules []any) {
			rules[1].(map[string]any)["backendRefs"] = []any{map[string]any{"name": "legacy", "port": int64(80)}}
		}, legs: []int{0, 0, 2, 0}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := attach(t, parsed(t, front))
			carried := weights("shop-1", 80, "shop-9", 20)
			a.write(carried)
			a.edit(c.change)
			seen := a.see().Route
			if c.theirs != seen.Current || !c.theirs && seen.Reason != traffic.ReasonChanged {
				t.Fatalf("%+v", seen)
			}
			a.write(carried)
			rules, _, _ := unstructured.NestedSlice(a.objects["front"].Object, "spec", "rules")
			for i, want := range c.legs {
				got := 0
				for _, ref := range refsOf(rules[i]) {
					if strings.HasPrefix(string(typed(ref).Name), "shop-1-") || strings.HasPrefix(string(typed(ref).Name), "shop-9-") {
						got++
					}
				}
				if got != want {
					t.Errorf("rule %d has %d legs: %v", i, got, refsOf(rules[i]))
				}
			}
			a.leave()
			if name == "the annotation lost" {
				return // Nobody knows what weights there were.
			}
			first := attach(t, parsed(t, front))
			if c.kept {
				first.edit(c.change)
			}
			if got, want := a.text("front"), first.text("front"); got != want {
				t.Errorf("given back is %s, and should be %s", got, want)
			}
		})
	}
}

// What cannot be attached to is left as it is, with a reason of its own.
func TestAttachedRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *attached, object map[string]any, rules []any)
		reason string
		says   string
	}{
		"by another track": {func(_ *attached, object map[string]any, _ []any) {
			object["metadata"].(map[string]any)["labels"] = map[string]any{v1alpha1.LabelTrack: "other", v1alpha1.LabelAttached: "main"}
		}, traffic.ReasonAttachedElsewhere, "HTTPRoute shop/front is a route of track other (main)"},
		"by another route": {func(_ *attached, object map[string]any, _ []any) {
			object["metadata"].(map[string]any)["labels"] = map[string]any{v1alpha1.LabelTrack: "shop", v1alpha1.LabelAttached: "main"}
		}, traffic.ReasonAttachedElsewhere, "of track shop (main)"},
		"the operator's": {func(_ *attached, object map[string]any, _ []any) {
			object["metadata"].(map[string]any)["labels"] = map[string]any{v1alpha1.LabelTrack: "shop", v1alpha1.LabelRoute: "public"}
		}, traffic.ReasonAttachedElsewhere, "is a route of track shop (public)"},
		"a controller's": {func(_ *attached, object map[string]any, _ []any) {
			object["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{"apiVersion": "v1", "kind": "Site", "name": "main", "uid": "1", "controller": true}}
		}, traffic.ReasonControlled, "is written by Site main"},
		"no such Service": {func(a *attached, _ map[string]any, _ []any) { a.route.GatewayAPI.AttachTo.ServiceName = "shop-api" },
			traffic.ReasonServiceNotReferenced, "has no backend Service shop-api with port 80"},
		"no such port": {func(a *attached, _ map[string]any, _ []any) { a.route.GatewayAPI.AttachTo.ServicePort = 8080 },
			traffic.ReasonServiceNotReferenced, "with port 8080"},
		"without weight": {func(_ *attached, _ map[string]any, rules []any) {
			for _, i := range []int{1, 2} {
				weightIn(rules, i, 0)["weight"] = int64(0)
			}
		}, traffic.ReasonServiceNotReferenced, "and a weight above 0"},
		"a release's own Service": {func(a *attached, _ map[string]any, rules []any) {
			a.route.GatewayAPI.AttachTo.ServiceName = "shop-1-web"
			weightIn(rules, 1, 0)["name"] = "shop-1-web"
		}, traffic.ReasonServiceNotReferenced, "cannot have one release stand for all"},
		"no room": {func(_ *attached, _ map[string]any, rules []any) {
			refs := []any{refsOf(rules[1])[0]}
			for i := range 13 {
				refs = append(refs, map[string]any{"name": fmt.Sprint("other", i), "port": int64(80)})
			}
			rules[1].(map[string]any)["backendRefs"] = refs
		}, traffic.ReasonRuleFull, "has 14 backends in rule 1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := attach(t, parsed(t, front))
			a.edit(func(object map[string]any, rules []any) { c.change(a, object, rules) })
			seen, before := a.see(), a.text("front")
			if !seen.Route.Unwatched || seen.Route.Presence != rollout.Foreign || seen.Route.Reason != c.reason || !strings.Contains(seen.Route.Message, c.says) {
				t.Fatalf("%+v", seen.Route)
			}
			_, err := a.Apply(t.Context(), named(), a.route, rollout.WriteRoute{Route: "public", Weights: weights("shop-1", 100), Sequence: 1}, seen)
			if err == nil || a.text("front") != before {
				t.Error("written all the same:", err)
			}
		})
	}
	a := attach(t)
	seen := a.see()
	if seen.Route.Presence != rollout.Missing || seen.Route.Reason != traffic.ReasonAttachedMissing || !seen.Route.Unwatched {
		t.Errorf("%+v", seen.Route)
	}
	if _, err := a.Apply(t.Context(), named(), a.route, rollout.WriteRoute{Route: "public", Weights: weights("shop-1", 100), Sequence: 1}, seen); err == nil || len(a.objects) > 0 {
		t.Error("made in its place:", err)
	}
}

// Another track's route of the same claim, older, keeps it.
func TestAttachedConflict(t *testing.T) {
	other := parsed(t, front)
	other.SetName("theirs")
	other.SetLabels(map[string]string{v1alpha1.LabelTrack: "other", v1alpha1.LabelRoute: "main"})
	other.SetCreationTimestamp(metav1.Unix(1, 0))
	mine := parsed(t, front)
	mine.SetCreationTimestamp(metav1.Unix(2, 0))
	a := attach(t, mine, other)
	if seen := a.see().Route; seen.Presence != rollout.Foreign || seen.Reason != traffic.ReasonConflict || !strings.Contains(seen.Message, "HTTPRoute shop/theirs of track other") {
		t.Errorf("%+v", seen)
	}
}

// A write for what was observed before somebody else wrote is none.
func TestAttachedIsWrittenAsObserved(t *testing.T) {
	a := attach(t, parsed(t, front))
	seen := a.see()
	a.edit(func(object map[string]any, _ []any) {
		object["spec"].(map[string]any)["hostnames"] = []any{"new.example.com"}
	})
	before := a.text("front")
	_, err := a.Apply(t.Context(), named(), a.route, rollout.WriteRoute{Route: "public", Weights: weights("shop-1", 100), Sequence: 1}, seen)
	if !traffic.IsStale(err) || a.text("front") != before {
		t.Error("written over what nobody had seen:", err)
	}
	a.write(weights("shop-1", 100))
	a.sequence = -1
	if _, err := a.Apply(t.Context(), named(), a.route, rollout.WriteRoute{Route: "public", Weights: weights("shop-9", 100), Sequence: 0}, a.see()); !traffic.IsStale(err) {
		t.Error("written for an older record:", err)
	}
}

// Of requests, legs together get what the placeholder got, each its percents, and others
// keep their share: exactly, where weights can tell it.
func TestSpreadKeepsShares(t *testing.T) {
	place := placeholder{namespace: "shop", service: "shop-web", port: 80}
	backend := func(name string, weight int64) any {
		return map[string]any{"name": name, "port": int64(80), "weight": weight}
	}
	dice := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		size := []int64{10, 1000, maxWeight}[round%3]
		original := []any{backend("shop-web", 1+dice.Int64N(size))}
		for i := range dice.IntN(3) {
			original = append(original, backend(fmt.Sprint("other", i), dice.Int64N(size+1)))
		}
		if dice.IntN(4) == 0 {
			original = append(original, backend("shop-web", 1+dice.Int64N(size)))
		}
		percent := dice.Int32N(101)
		legs := []gatewayv1.BackendRef{
			{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "shop-1-web", Port: ptr.To[gatewayv1.PortNumber](80)}, Weight: ptr.To(100 - percent)},
			{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "shop-2-web", Port: ptr.To[gatewayv1.PortNumber](80)}, Weight: ptr.To(percent)},
		}
		got := place.spread(original, legs)
		weight := func(ref any) int64 { return int64(*typed(ref).Weight) }
		at := 0
		var first int64
		for _, ref := range original {
			share := weight(got[at])
			if place.is(ref) {
				share = weight(got[at]) + weight(got[at+1])
				if share*int64(percent) != weight(got[at+1])*100 {
					t.Fatalf("%d percent of %v are %v", percent, original, got)
				}
				at++
			}
			at++
			if first == 0 {
				first = share
			}
			exact := size < maxWeight
			want := float64(weight(ref)) / float64(weight(original[0]))
			if is := float64(share) / float64(first); exact && share*weight(original[0]) != first*weight(ref) || (is == 0) != (want == 0) {
				t.Fatalf("%v has become %v: %v instead of %v", original, got, is, want)
			}
		}
		for _, ref := range got {
			if weight(ref) < 0 || weight(ref) > maxWeight {
				t.Fatalf("%v has become %v", original, got)
			}
		}
	}
}
