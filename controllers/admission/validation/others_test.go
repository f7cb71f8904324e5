package validation

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestNotSupportedDocumentIsUpToDate(t *testing.T) {
	got, err := os.ReadFile("../../../" + NotSupportedFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, NotSupportedDocument()) {
		t.Error(NotSupportedFile + " is not what the table makes: go generate ./controllers/admission/...")
	}
}

func goodTrack() *v1alpha1.ReleaseTrack {
	return &v1alpha1.ReleaseTrack{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"},
		Spec: v1alpha1.ReleaseTrackSpec{
			Rollout: &v1alpha1.RolloutSpec{
				Steps:         []v1alpha1.RolloutStep{{WeightPercent: 5}, {WeightPercent: 100, Approval: v1alpha1.ApprovalRequired}},
				BakeSeconds:   ptr(int32(0)),
				FailurePolicy: v1alpha1.FailureRollback, SupersedePolicy: v1alpha1.SupersedeReplace,
				AdvancePolicy: v1alpha1.AdvanceAutomatic, Capacity: v1alpha1.CapacityFull,
			},
			Traffic: &v1alpha1.TrafficSpec{Routes: []v1alpha1.Route{
				{Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI, GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute"}},
				{Name: "internal", ComponentName: "api", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-api"}},
			}},
			Retention:      &v1alpha1.RetentionSpec{WarmReleases: ptr(int32(1))},
			DeletionPolicy: v1alpha1.DeletionOrphan,
			Requires: []v1alpha1.RequiredTrack{
				{Namespace: "staging", TrackName: "shop"}, {Namespace: "shop", TrackName: "canary"},
				{Namespace: "shop", TrackName: "shop", PublicKey: goodKey}, // of the same name, in another cluster
			},
		},
	}
}

const goodKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`

// preview gives the first route one, and answers with what it selects.
func preview(spec *v1alpha1.ReleaseTrackSpec) *v1alpha1.GatewayAPIRoute {
	spec.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{HeaderName: "X-Preview"}
	return spec.Traffic.Routes[0].GatewayAPI
}

// attach makes a route one of the user's.
func attach(spec *v1alpha1.ReleaseTrackSpec, route int, object string) {
	spec.Traffic.Routes[route].GatewayAPI.AttachTo = &v1alpha1.GatewayAPIAttachment{RouteName: object, ServiceName: "shop-web", ServicePort: 80}
}

var redirecting = v1alpha1.GatewayAPIRule{Filters: []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestRedirect}}}

func TestTracks(t *testing.T) {
	if errs := ValidateTrack(goodTrack()); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	roomy := goodTrack()
	preview(&roomy.Spec).Rules = append(make([]v1alpha1.GatewayAPIRule, 6), redirecting, redirecting, redirecting, redirecting)
	if errs := ValidateTrack(roomy); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	policies := goodTrack()
	policies.Spec.Rollout.FailurePolicy, policies.Spec.Rollout.SupersedePolicy = v1alpha1.FailureHold, v1alpha1.SupersedeQueue
	policies.Spec.Rollout.AdvancePolicy = v1alpha1.AdvancePaused
	if errs := ValidateTrack(policies); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	attached := goodTrack()
	attach(&attached.Spec, 0, "front.example.com")
	if errs := ValidateTrack(attached); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	bound := goodTrack()
	bound.Spec.Traffic.Routes[0].GatewayAPI.StickyCookieName = "shop"
	bound.Spec.Traffic.Routes[0].GatewayAPI.Rules = []v1alpha1.GatewayAPIRule{{}, redirecting}
	if errs := ValidateTrack(bound); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	taken := goodTrack()
	taken.Name = "strata-guards"
	says(t, "the guards' log", ValidateTrack(taken), `metadata.name: Invalid value: "strata-guards": is the name of the log of the guards`)
	for name, c := range map[string]struct {
		change func(*v1alpha1.ReleaseTrackSpec)
		says   string
	}{
		"falling":     {func(s *v1alpha1.ReleaseTrackSpec) { s.Rollout.Steps[1].WeightPercent = 5 }, "spec.rollout.steps[1].weightPercent: Invalid value: 5: weights must rise from step to step, and the step before has 5"},
		"above 100":   {func(s *v1alpha1.ReleaseTrackSpec) { s.Rollout.Steps[1].WeightPercent = 101 }, "steps[1].weightPercent: Invalid value: 101"},
		"route twice": {func(s *v1alpha1.ReleaseTrackSpec) { s.Traffic.Routes[1].Name = "public" }, `routes[1].name: Duplicate value: "public"`},
		"no service":  {func(s *v1alpha1.ReleaseTrackSpec) { s.Traffic.Routes[1].Service = nil }, "routes[1].service: Required value"},
		"bad service": {func(s *v1alpha1.ReleaseTrackSpec) { s.Traffic.Routes[1].Service.Name = "9" }, `routes[1].service.name: Invalid value: "9"`},
		"service twice": {func(s *v1alpha1.ReleaseTrackSpec) {
			again := s.Traffic.Routes[1]
			again.Name = "again"
			s.Traffic.Routes = append(s.Traffic.Routes, again)
		}, `routes[2].service.name: Duplicate value: "shop-api"`},
		"component": {func(s *v1alpha1.ReleaseTrackSpec) { s.Traffic.Routes[0].ComponentName = "We" }, `routes[0].componentName: Invalid value: "We"`},
		"header of the preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Rules = []v1alpha1.GatewayAPIRule{{Matches: []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "x-PREVIEW"}}}}}}
		}, `routes[0].gatewayAPI.rules[0].matches[0].headers[0].name: Invalid value: "x-PREVIEW": is the header of the preview`},
		"no room for that header": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).GRPCRules = []v1alpha1.GatewayAPIGRPCRule{{Matches: []gatewayv1.GRPCRouteMatch{{Headers: make([]gatewayv1.GRPCHeaderMatch, 16)}}}}
		}, "routes[0].gatewayAPI.grpcRules[0].matches[0].headers: Invalid value: 16: leave room"},
		"too many rules for a preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Rules = append(make([]v1alpha1.GatewayAPIRule, 7), redirecting, redirecting, redirecting)
		}, "routes[0].gatewayAPI.rules: Invalid value: 10: with a preview, rules that lead to the releases count twice, and that makes 17"},
		"too many matches for a preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Rules = slices.Repeat([]v1alpha1.GatewayAPIRule{{Matches: make([]gatewayv1.HTTPRouteMatch, 16)}}, 4)
		}, "routes[0].gatewayAPI.rules: Invalid value: 4: with a preview, matches of rules that lead to the releases count twice, and that makes 128"},
		"cookie of the preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Rules = []v1alpha1.GatewayAPIRule{{Matches: []gatewayv1.HTTPRouteMatch{{Headers: []gatewayv1.HTTPHeaderMatch{{Name: "cookie"}}}}}}
			s.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{CookieName: "preview"}
		}, `headers[0].name: Invalid value: "cookie": is the header of the preview`},
		"cookies of calls": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Kind = "GRPCRoute"
			s.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{CookieName: "preview"}
		}, `routes[0].preview.cookieName: Invalid value: "preview": calls have no cookies`},
		"sessions of several rules": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).StickyCookieName = "shop"
			preview(s).Rules = append(make([]v1alpha1.GatewayAPIRule, 2), redirecting)
		}, `routes[0].gatewayAPI.stickyCookieName: Invalid value: "shop": 2 rules lead to the releases, and a session is one of a rule`},
		"hostname of the preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			preview(s).Hostnames = []gatewayv1.Hostname{"shop.example.com"}
			s.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{Hostname: "shop.example.com"}
		}, `routes[0].preview.hostname: Invalid value: "shop.example.com": is a hostname of route public already`},
		"name of the preview": {func(s *v1alpha1.ReleaseTrackSpec) {
			s.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{Hostname: "next.example.com"}
			again := s.Traffic.Routes[0]
			again.Name, again.Preview = "public-preview", nil
			s.Traffic.Routes = append(s.Traffic.Routes, again)
		}, `routes[2].name: Invalid value: "public-preview": is what the route object of the preview of public is called`},
		"preview of a user's route": {func(s *v1alpha1.ReleaseTrackSpec) { preview(s); attach(s, 0, "front") }, "routes[0].preview: Forbidden: a preview needs rules of its own"},
		"attached twice": {func(s *v1alpha1.ReleaseTrackSpec) {
			s.Traffic.Routes = append(s.Traffic.Routes, *s.Traffic.Routes[0].DeepCopy())
			s.Traffic.Routes[2].Name = "again"
			attach(s, 0, "front")
			attach(s, 2, "front")
		}, `routes[2].gatewayAPI.attachTo.routeName: Invalid value: "front": another route of this track attaches to it`},
		"attached to what the operator makes": {func(s *v1alpha1.ReleaseTrackSpec) {
			s.Traffic.Routes = append(s.Traffic.Routes, *s.Traffic.Routes[0].DeepCopy())
			s.Traffic.Routes[2].Name = "again"
			attach(s, 2, "shop-public")
		}, `routes[2].gatewayAPI.attachTo.routeName: Invalid value: "shop-public": is what the operator makes for route public of this track`},
		"attached to no name": {func(s *v1alpha1.ReleaseTrackSpec) { attach(s, 0, "Front_1") }, `routes[0].gatewayAPI.attachTo.routeName: Invalid value: "Front_1"`},
		"port":                {func(s *v1alpha1.ReleaseTrackSpec) { s.Traffic.Routes[0].PortName = "8080" }, `routes[0].portName: Invalid value: "8080"`},
		"itself": {func(s *v1alpha1.ReleaseTrackSpec) {
			s.Requires[1] = v1alpha1.RequiredTrack{Namespace: "shop", TrackName: "shop"}
		}, `spec.requires[1]: Invalid value: "shop": a track that requires itself would never promote anything`},
		"no key":   {func(s *v1alpha1.ReleaseTrackSpec) { s.Requires[2].PublicKey = "-----BEGIN PUBLIC KEY-----" }, "spec.requires[2].publicKey: Invalid value: \"-----BEGIN PUBLIC KEY-----\": must be one public key in PEM"},
		"two keys": {func(s *v1alpha1.ReleaseTrackSpec) { s.Requires[2].PublicKey += goodKey }, "name each further key apart"},
	} {
		track := goodTrack()
		c.change(&track.Spec)
		says(t, name, ValidateTrack(track), c.says)
	}
}

func TestActions(t *testing.T) {
	good := v1alpha1.ReleaseActionSpec{TrackName: "shop", ReleaseName: "shop-1", Action: v1alpha1.ActionApprove, Requester: "jo", Attempt: ptr(int32(1)), WeightPercent: ptr(int32(50))}
	if errs := ValidateAction(&v1alpha1.ReleaseAction{Spec: good}, "jo"); len(errs) > 0 {
		t.Error(errs.ToAggregate())
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.ReleaseActionSpec)
		says   string
	}{
		"another user":        {func(s *v1alpha1.ReleaseActionSpec) { s.Requester = "ann" }, `spec.requester: Invalid value: "ann": must be the user who creates the action: jo`},
		"no step":             {func(s *v1alpha1.ReleaseActionSpec) { s.WeightPercent = nil }, "spec.weightPercent: Required value"},
		"abort of no attempt": {func(s *v1alpha1.ReleaseActionSpec) { s.Action, s.Attempt = v1alpha1.ActionAbort, nil }, "spec.attempt: Required value"},
		"skip of no attempt":  {func(s *v1alpha1.ReleaseActionSpec) { s.Action, s.Attempt = v1alpha1.ActionSkipHold, nil }, "spec.attempt: Required value"},
		"skip of no step":     {func(s *v1alpha1.ReleaseActionSpec) { s.Action, s.WeightPercent = v1alpha1.ActionSkipHold, nil }, "spec.weightPercent: Required value"},
	} {
		action := &v1alpha1.ReleaseAction{Spec: good}
		c.change(&action.Spec)
		says(t, name, ValidateAction(action, "jo"), c.says)
	}
	if Verb(v1alpha1.ActionRollback) != "rollback" || Verb("Other") != "unknown" {
		t.Error("verbs")
	}
}

func TestReservedMetadata(t *testing.T) {
	object := func(labels, annotations map[string]string) metav1.Object {
		return &metav1.ObjectMeta{Labels: labels, Annotations: annotations}
	}
	held := map[string]string{"strata.dev/held": "serving", "team": "shop"}
	for name, c := range map[string]struct {
		now, old metav1.Object
		author   Author
		says     string
	}{
		"own keys":        {object(map[string]string{"team": "shop"}, nil), nil, Author{Username: "jo"}, ""},
		"added":           {object(held, nil), nil, Author{Username: "jo"}, `metadata.labels[strata.dev/held]: Invalid value: "serving"`},
		"kept":            {object(held, nil), object(held, nil), Author{Username: "jo"}, ""},
		"removed":         {object(nil, nil), object(held, nil), Author{Username: "jo"}, `leave "serving" as it is`},
		"by the operator": {object(nil, nil), object(held, nil), Author{Operator: true}, ""},
		"the stamp":       {object(nil, map[string]string{v1alpha1.AnnotationRequestedBy: "jo"}), nil, Author{Username: "jo"}, ""},
		"a false stamp":   {object(nil, map[string]string{v1alpha1.AnnotationRequestedBy: "ann"}), nil, Author{Username: "jo"}, "metadata.annotations[strata.dev/requested-by]"},
	} {
		errs := ReservedMetadata(c.now, c.old, c.author)
		if c.says == "" && len(errs) > 0 {
			t.Errorf("%s: %v", name, errs.ToAggregate())
		}
		if c.says != "" {
			says(t, name, errs, c.says)
		}
	}
}

func TestSpecChanges(t *testing.T) {
	for name, c := range map[string]struct{ old, now, want string }{
		"nothing":         {`{"spec":{"a":1},"metadata":{"x":1}}`, `{"spec":{"a":1},"metadata":{"x":2}}`, ""},
		"text of numbers": {`{"spec":{"cpu":"0.5","n":1}}`, `{"spec":{"cpu":"500m","n":1.0}}`, `spec.cpu: "0.5" -> "500m"; spec.n: 1 -> 1.0`},
		"added":           {`{"spec":{}}`, `{"spec":{"a":{"b":"<x>"}}}`, `spec.a: (nothing) -> {"b":"<x>"}`},
		"removed":         {`{"spec":{"a":[]}}`, `{"spec":{}}`, `spec.a: [] -> (nothing)`},
		"by name":         {`{"spec":{"c":[{"name":"a","i":1},{"name":"b","i":2}]}}`, `{"spec":{"c":[{"name":"a","i":1},{"name":"b","i":3}]}}`, `spec.c[b].i: 2 -> 3`},
		"other name":      {`{"spec":{"c":[{"name":"a"}]}}`, `{"spec":{"c":[{"name":"b"}]}}`, `spec.c[a]: {"name":"a"} -> (nothing); spec.c[b]: (nothing) -> {"name":"b"}`},
		"order":           {`{"spec":{"c":[{"name":"a"},{"name":"b"}]}}`, `{"spec":{"c":[{"name":"b"},{"name":"a"}]}}`, `order of spec.c: a, b -> b, a`},
		"by position":     {`{"spec":{"c":["x","y"]}}`, `{"spec":{"c":["x","z","w"]}}`, `spec.c[1]: "y" -> "z"; spec.c[2]: (nothing) -> "w"`},
		"same name twice": {`{"spec":{"c":[{"name":"a"},{"name":"a"}]}}`, `{"spec":{"c":[{"name":"a"},{"name":"a","i":1}]}}`, `spec.c[1].i: (nothing) -> 1`},
		"odd key":         {`{"spec":{"l":{"a/b":"1"}}}`, `{"spec":{"l":{"a/b":"2"}}}`, `spec.l[a/b]: "1" -> "2"`},
		"other type":      {`{"spec":{"p":80}}`, `{"spec":{"p":"http"}}`, `spec.p: 80 -> "http"`},
	} {
		list, err := SpecChanges([]byte(c.old), []byte(c.now))
		if got := strings.ReplaceAll(strings.TrimPrefix(Summarize(list), "\n  "), "\n  ", "; "); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
	long := `{"spec":{"a":"` + strings.Repeat("é", 5000) + `"}}`
	many := `{"spec":{` + strings.TrimSuffix(strings.Repeat(`"x@":1,`, 1), ",") + `}}`
	list, err := SpecChanges([]byte(`{"spec":{"a":"b"}}`), []byte(long))
	if err != nil || len(Summarize(list)) > 300 {
		t.Errorf("%v, %d bytes", err, len(Summarize(list)))
	}
	var fields []string
	for _, key := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		fields = append(fields, `"`+key+`":1`)
	}
	list, err = SpecChanges([]byte(many), []byte(`{"spec":{`+strings.Join(fields, ",")+`}}`))
	if err != nil || !strings.HasSuffix(Summarize(list), "\n  and 19 fields more") {
		t.Errorf("%v, %s", err, Summarize(list))
	}
	if _, err := SpecChanges([]byte("x"), []byte("{}")); err == nil {
		t.Error("read what is not JSON")
	}
}

func TestSuggestName(t *testing.T) {
	for _, c := range []struct{ name, version, now, want string }{
		{"shop-1-4-2", "1.4.2", "1.4.2", "shop-1-4-3"},
		{"shop-1-4-2", "1.4.2", "2.0.0-rc.1", "shop-2-0-0-rc-1"},
		{"shop-v9", "v9", "v9", "shop-v10"},
		{"shop-007", "007", "007", "shop-008"},
		{"basket", "1.4.2", "1.4.2", "shop-1-4-3"},
		{"shop-main", "main", "main", "shop-main-2"},
		{"shop-20261123101500", "20261123101500", "20261123101500", "shop-20261123101500-2"},
		{"shop-1", "1", strings.Repeat("1", 63), ""},
	} {
		old := `{"metadata":{"name":"` + c.name + `"},"spec":{"trackName":"shop","version":"` + c.version + `"}}`
		now := `{"metadata":{"name":"` + c.name + `"},"spec":{"trackName":"shop","version":"` + c.now + `"}}`
		got, err := SuggestName([]byte(old), []byte(now))
		if err != nil || (c.want != "" && got != c.want) || len(got) > 40 {
			t.Errorf("%s at %s: %q, %v", c.name, c.now, got, err)
		}
	}
}

// Permissions of a policy fit into an annotation of each namespace.
func TestWritersOfAPolicy(t *testing.T) {
	writer := v1alpha1.NamedWriter{Name: "cni", Type: v1alpha1.WriterPodAnnotator, PodAnnotator: &v1alpha1.PodAnnotator{Username: strings.Repeat("u", 1024)}}
	for i := range 32 {
		writer.PodAnnotator.Annotations = append(writer.PodAnnotator.Annotations, fmt.Sprintf("example.com/%s-%d", strings.Repeat("a", 63-3), i))
	}
	p := &v1alpha1.ReleasePolicy{Spec: v1alpha1.ReleasePolicySpec{NamespaceSelector: &metav1.LabelSelector{}, Writers: []v1alpha1.NamedWriter{writer}}}
	if errs := ValidatePolicy(p); len(errs) > 0 {
		t.Errorf("refused: %v", errs)
	}
	another := *writer.DeepCopy()
	another.PodAnnotator.Username = strings.Repeat("v", 1024)
	p.Spec.Writers = append(p.Spec.Writers, another)
	if errs := ValidatePolicy(p); len(errs) != 1 || errs[0].Field != "spec.writers" || !strings.Contains(errs[0].Detail, "65536") {
		t.Errorf("not refused for its size: %v", errs)
	}
}
