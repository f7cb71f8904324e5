package admission

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

// explained is what is said of a change by ann under the rule; vpa may resize pods.
func explained(t *testing.T, id, kind, resource, subresource, old, now string) admission.Response {
	t.Helper()
	return explainedTo(t, "ann", id, kind, resource, subresource, old, now)
}

func explainedTo(t *testing.T, username, id, kind, resource, subresource, old, now string) admission.Response {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.ReleasePolicySpec{
			NamespaceSelector: &metav1.LabelSelector{},
			Writers:           []v1alpha1.NamedWriter{{Name: "vpa", Type: v1alpha1.WriterScaler, Scaler: &v1alpha1.Scaler{Username: "vpa", Target: v1alpha1.ScaleResources}}},
		}},
	).Build()
	for _, e := range guards.Explaining {
		if e.Rule.ID == id {
			return (&invalidHandler{rule: e.Rule, reader: api, live: api}).Handle(context.Background(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Operation: admissionv1.Update, Name: "it", Namespace: "shop", Kind: metav1.GroupVersionKind{Kind: kind},
				Resource: metav1.GroupVersionResource{Resource: resource}, SubResource: subresource,
				UserInfo:  authenticationv1.UserInfo{Username: username},
				OldObject: runtime.RawExtension{Raw: []byte(old)}, Object: runtime.RawExtension{Raw: []byte(now)},
			}})
		}
	}
	t.Fatalf("nothing explains %s", id)
	return admission.Response{}
}

func TestInvalidChangesAreForbidden(t *testing.T) {
	const labelled = `"metadata":{"labels":{"strata.dev/release":"shop-1"}}`
	const owned = `"metadata":{"ownerReferences":[{"apiVersion":"strata.dev/v1alpha1","kind":"ImmutableRelease","name":"shop-1"}]}`
	for _, c := range []struct{ id, kind, resource, subresource, old, now, says string }{
		{"STRATA-010", "Deployment", "deployments", "", `{` + owned + `,"spec":{"selector":{"matchLabels":{"a":"b"}}}}`, `{` + owned + `,"spec":{"selector":{"matchLabels":{"a":"c"}}}}`, `spec.selector.matchLabels.a: "b" -> "c"`},
		{"STRATA-014", "Job", "jobs", "", `{` + owned + `,"spec":{"completions":1}}`, `{` + owned + `,"spec":{"completions":2}}`, `spec.completions: 1 -> 2`},
		// What stands beside is not written by that route.
		{"STRATA-014", "Job", "jobs", "status", `{` + owned + `,"spec":{"completions":1},"status":{"failed":1}}`, `{` + owned + `,"spec":{"completions":2},"status":{}}`, `status.failed: 1 -> (nothing)`},
		{"STRATA-018", "Pod", "pods", "", `{` + labelled + `,"spec":{}}`, `{` + labelled + `,"spec":{"hostNetwork":true}}`, `spec.hostNetwork: (nothing) -> true`},
	} {
		response := explained(t, c.id, c.kind, c.resource, c.subresource, c.old, c.now)
		message := response.Result.Message
		way := "(UPDATE " + strings.TrimSuffix(c.resource+"/"+c.subresource, "/") + ")"
		if response.Allowed || response.Result.Code != http.StatusForbidden || !strings.HasPrefix(message, c.id+": "+c.kind+" it "+way+": ") ||
			!strings.Contains(message, "release shop-1") || !strings.HasSuffix(message, "Changed:\n  "+c.says) {
			t.Errorf("%s of %s: %v, %s", c.id, c.resource, response.Allowed, message)
		}
	}
}

// A controller or a program that repeats itself is none of the explanation's business.
func TestWhatIsNoChangeIsNotExplained(t *testing.T) {
	for id, objects := range map[string][2]string{
		"STRATA-010": {`{"spec":{"a":1},"status":{"b":1}}`, `{"spec":{"a":1},"status":{"b":2}}`},
		"STRATA-018": {`{"spec":{}}`, `{"spec":`},
	} {
		if response := explained(t, id, "Pod", "pods", "", objects[0], objects[1]); !response.Allowed {
			t.Errorf("%s: %s", id, response.Result.Message)
		}
	}
	if response := explained(t, "STRATA-014", "Job", "jobs", "status", `{"spec":{"a":1}}`, `{"spec":{"a":2}}`); !response.Allowed {
		t.Errorf("a spec by the way of a status: %s", response.Result.Message)
	}
}

func TestNoValueOfConfigurationIsTold(t *testing.T) {
	const old = `{"metadata":{"labels":{"strata.dev/release":"shop-1"}},"data":{"word":"one-canary","tls.key":"one-canary"},"type":"Opaque"}`
	const now = `{"metadata":{"labels":{"strata.dev/release":"shop-1"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"two-canary"}},"data":{"word":"two-canary","new":"two-canary"},"type":"canary"}`
	for kind, resource := range map[string]string{"Secret": "secrets", "ConfigMap": "configmaps"} {
		response := explained(t, "STRATA-026", kind, resource, "", old, now)
		answer, err := json.Marshal(response)
		if err != nil {
			t.Fatal(err)
		}
		if response.Allowed || strings.Contains(string(answer), "canary") {
			t.Errorf("%s: %s", kind, answer)
		}
		for _, path := range []string{"data.word", "data[tls.key]", "data.new", "type"} {
			if !strings.Contains(response.Result.Message, "\n  "+path) {
				t.Errorf("%s: %s is not named: %s", kind, path, response.Result.Message)
			}
		}
	}
}

func TestWhoMayResizeIsToldByTheAPIServer(t *testing.T) {
	const old, now = `{"metadata":{"labels":{"strata.dev/release":"shop-1"}},"spec":{"containers":[{"name":"app"}]}}`,
		`{"metadata":{"labels":{"strata.dev/release":"shop-1"}},"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":"1"}}}]}}`
	for username, allowed := range map[string]bool{"vpa": true, "ann": false} {
		if response := explainedTo(t, username, "STRATA-022", "Pod", "pods", "resize", old, now); response.Allowed != allowed {
			t.Errorf("%s: %v", username, response.Result)
		}
	}
}
