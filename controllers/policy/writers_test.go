package policy

import (
	"slices"
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
)

const (
	calico = "{name: calico, type: PodAnnotator, podAnnotator: {username: 'cni', annotations: [a.example.com/ip, a.example.com/ips]}}"
	keda   = "{name: keda, type: Scaler, scaler: {username: 'keda operator', target: Replicas}}"
	vpa    = "{name: vpa, type: Scaler, scaler: {username: vpa, target: Resources}}"
	alb    = "{name: alb, type: ReadinessGate, readinessGate: {username: 'alb controller', domain: target-health.example.com}}"
	mesh   = "{name: mesh, type: SidecarInjector, sidecarInjector: {images: [r.example.com/proxy@sha256:1, r.example.com/init@sha256:2]}}"
)

func TestApprovals(t *testing.T) {
	e := effective(t, "approvals: {count: 3, validSeconds: 7200}", "approvals: {count: 1, requester: Excluded}",
		"approvals: {count: 2, requester: Allowed, validSeconds: 3600}", "approvals: {count: 1, validSeconds: 86400}", "{}")
	want := v1alpha1.ApprovalsPolicy{Count: 3, Requester: v1alpha1.RequesterExcluded, ValidSeconds: 3600}
	if got := e.Approvals(); got != want || *e.Summary().Approvals != want {
		t.Errorf("got %+v", got)
	}
	if e := effective(t, "{}"); e.Approvals() != (v1alpha1.ApprovalsPolicy{}) || e.Summary().Approvals != nil {
		t.Errorf("approvals are asked for by nobody: %+v", e.Approvals())
	}
}

func TestWriters(t *testing.T) {
	for name, c := range map[string]struct {
		specs        []string
		lines, names []string
	}{
		"nobody asks":          {specs: []string{"{}"}},
		"each kind":            {[]string{"writers: [" + keda + "," + vpa + "," + mesh + "," + alb + "," + calico + "]", "maxAgeSeconds: 3600"}, []string{"annotate a.example.com/ip cni", "annotate a.example.com/ips cni", "gate target-health.example.com alb controller", "inject r.example.com/init@sha256:2", "inject r.example.com/proxy@sha256:1", "resize vpa", "scale keda operator"}, []string{"keda", "vpa", "mesh", "alb", "calico"}},
		"what all of them say": {[]string{"{}", "writers: [" + calico + "," + keda + "]", "writers: [" + vpa + ", {name: cni, type: PodAnnotator, podAnnotator: {username: cni, annotations: [a.example.com/ips, b.example.com/x]}}]"}, []string{"annotate a.example.com/ips cni"}, []string{"calico"}},
		"nobody, by one":       {[]string{"writers: [" + keda + "]", "writers: []"}, nil, nil},
	} {
		e := effective(t, c.specs...)
		if got := e.Writers(); !slices.Equal(got, c.lines) {
			t.Errorf("%s: %q", name, got)
		}
		if got := e.Summary().WriterNames; !slices.Equal(got, c.names) {
			t.Errorf("%s: named %q", name, got)
		}
		if got := e.MayWriteSizes(); got != slices.Contains(c.lines, "scale keda operator") {
			t.Errorf("%s: may write sizes: %v", name, got)
		}
	}
	if said := effective(t, "writers: []").policies[0].Spec.DeepCopy().Writers; said == nil {
		t.Error("a policy that lets nobody write says nothing")
	}
}
