package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// glass is a handler before which a release is open to jane until an hour after noon, a
// function that asks for an exec, and its API. before runs ahead of a write of a use.
func glass(t *testing.T, uses int, before func(client.WithWatch)) (*accessHandler, func() admission.Response, client.WithWatch) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	action := &v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "glass", CreationTimestamp: metav1.NewTime(noon)},
		Spec:       v1alpha1.ReleaseActionSpec{TrackName: "shop", ReleaseName: "shop-1", Action: v1alpha1.ActionBreakGlass, Requester: "jane", Reason: "it hangs"},
	}
	for i := range uses {
		action.Status.Uses = append(action.Status.Uses, v1alpha1.AccessUse{Time: metav1.NewMicroTime(noon.Add(time.Duration(i) * time.Second)), PodName: "other", PodUID: "o", ComponentName: "web", Way: v1alpha1.AccessExec})
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.ReleaseAction{}).WithObjects(
		action,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{"strata.dev/opened.shop": "shop-1 glass 2026-01-01T13:00:00Z jane"}}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1-web-x", UID: "x", Labels: map[string]string{
			v1alpha1.LabelTrack: "shop", v1alpha1.LabelRelease: "shop-1", v1alpha1.LabelComponent: "web",
		}}},
		&v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.ReleasePolicySpec{
			NamespaceSelector: &metav1.LabelSelector{}, BreakGlass: &v1alpha1.BreakGlassPolicy{Groups: []string{"oncall"}},
		}},
	).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, subresource string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if before != nil {
				before(c.(client.WithWatch))
			}
			return c.SubResource(subresource).Patch(ctx, object, patch, options...)
		},
	}).Build()
	h := &accessHandler{reader: api, live: api, writer: api, now: func() time.Time { return noon }}
	options, err := json.Marshal(corev1.PodExecOptions{Container: "app", Command: []string{"sh"}})
	if err != nil {
		t.Fatal(err)
	}
	return h, func() admission.Response {
		return h.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Connect, Namespace: "shop", Name: "shop-1-web-x", SubResource: "exec",
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, Object: runtime.RawExtension{Raw: options},
			UserInfo: authenticationv1.UserInfo{Username: "jane", Groups: []string{"oncall"}},
		}})
	}, api
}

func usesOf(t *testing.T, api client.Client) []v1alpha1.AccessUse {
	t.Helper()
	action := &v1alpha1.ReleaseAction{}
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "glass"}, action); err != nil {
		t.Fatal(err)
	}
	return action.Status.Uses
}

// Nobody is let in whose use is not written down, and each use is later than the last,
// whatever clocks say.
func TestEveryEntryIsWrittenDown(t *testing.T) {
	_, enter, api := glass(t, 0, nil)
	for n := range 3 {
		if response := enter(); !response.Allowed {
			t.Fatalf("refused: %s", response.Result.Message)
		}
		uses := usesOf(t, api)
		if len(uses) != n+1 || uses[n].PodUID != "x" || uses[n].ContainerName != "app" || uses[n].Way != v1alpha1.AccessExec {
			t.Fatalf("written down: %+v", uses)
		}
		if n > 0 && !uses[n].Time.After(uses[n-1].Time.Time) {
			t.Errorf("use %d is not later than the one before", n)
		}
	}
}

// A line that is taken away while the use is written down lets nobody in: whoever took it
// away may have read the uses already.
func TestClosedWhileItIsWrittenDown(t *testing.T) {
	_, enter, api := glass(t, 0, func(c client.WithWatch) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
		if err := c.Patch(context.Background(), namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":null}}`))); err != nil {
			t.Error(err)
		}
	})
	if response := enter(); response.Allowed || !strings.Contains(response.Result.Message, "closed this moment") {
		t.Errorf("answered %+v", response)
	}
	if len(usesOf(t, api)) != 1 {
		t.Error("the use that was not let through is not written down")
	}
}

func TestEntryIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*accessHandler, client.Client) error
		uses   int
		says   string
	}{
		"after its end": {func(h *accessHandler, _ client.Client) error {
			h.now = func() time.Time { return noon.Add(time.Hour) }
			return nil
		}, 0, "the access of glass ended at 2026-01-01T13:00:00Z"},
		"used up": {nil, v1alpha1.MaxUses, "was used 128 times"},
		"of a deleted action": {func(_ *accessHandler, api client.Client) error {
			return api.Delete(context.Background(), &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "glass"}})
		}, 0, "was deleted"},
		"with the policy gone": {func(_ *accessHandler, api client.Client) error {
			return api.Delete(context.Background(), &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}})
		}, 0, "no ReleasePolicy of the namespace has spec.breakGlass"},
		"by a line that says a later end": {func(h *accessHandler, api client.Client) error {
			h.now = func() time.Time { return noon.Add(time.Hour) }
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
			return api.Patch(context.Background(), namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"strata.dev/opened.shop":"shop-1 glass 2099-01-01T13:00:00Z jane"}}}`)))
		}, 0, "the access of glass is over"},
		"of an action that is done": {func(_ *accessHandler, api client.Client) error {
			action := &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "glass"}}
			return api.Status().Patch(context.Background(), action, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"outcome":"Done"}}`)))
		}, 0, "the access of glass is over"},
		"by one whom policies do not name any more": {func(_ *accessHandler, api client.Client) error {
			policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
			return api.Patch(context.Background(), policy, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"breakGlass":{"groups":["sre"]}}}`)))
		}, 0, "lets members of sre alone"},
		"into another release": {func(_ *accessHandler, api client.Client) error {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1-web-x"}}
			return api.Patch(context.Background(), pod, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"labels":{%q:"shop-1-web"}}}`, v1alpha1.LabelRelease)))
		}, 0, "no ReleaseAction BreakGlass of theirs has opened release shop-1-web"},
		"into a pod of nobody": {func(_ *accessHandler, api client.Client) error {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1-web-x"}}
			return api.Patch(context.Background(), pod, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":null}}`)))
		}, 0, "it belongs to no release"},
	} {
		h, enter, api := glass(t, c.uses, nil)
		if c.change != nil {
			if err := c.change(h, api); err != nil {
				t.Fatal(err)
			}
		}
		if response := enter(); response.Allowed || !strings.Contains(response.Result.Message, c.says) || !strings.Contains(response.Result.Message, "STRATA-050") {
			t.Errorf("%s: answered %t %+v", name, response.Allowed, response.Result)
		}
	}
}

// Containers for debugging come one at a time, each a use by its name, and with nothing that
// policies deny releases.
func TestDebuggersAreEntries(t *testing.T) {
	plain := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "there", Image: "busybox"}}
	named := func(name string, security *corev1.SecurityContext) corev1.EphemeralContainer {
		return corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "busybox", SecurityContext: security}}
	}
	yes, no := true, false
	restricted := &corev1.SecurityContext{RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	for name, c := range map[string]struct {
		containers []corev1.EphemeralContainer
		denies     *v1alpha1.PrivilegePolicy
		says       string
		uses       int
	}{
		"one":              {[]corev1.EphemeralContainer{plain, named("a", nil)}, nil, "", 1},
		"two at once":      {[]corev1.EphemeralContainer{plain, named("a", nil), named("b", nil)}, nil, "2 containers are added at once", 0},
		"none":             {[]corev1.EphemeralContainer{plain}, nil, "", 0},
		"another there":    {[]corev1.EphemeralContainer{named("there", restricted)}, nil, "", 1},
		"as root, denied":  {[]corev1.EphemeralContainer{plain, named("a", nil)}, &v1alpha1.PrivilegePolicy{RootUser: v1alpha1.PolicyDeny}, "denies container a by privileges.rootUser", 0},
		"as root, warned":  {[]corev1.EphemeralContainer{plain, named("a", nil)}, &v1alpha1.PrivilegePolicy{RootUser: v1alpha1.PolicyWarn}, "", 1},
		"may gain, denied": {[]corev1.EphemeralContainer{plain, named("a", nil)}, &v1alpha1.PrivilegePolicy{PrivilegeEscalation: v1alpha1.PolicyDeny}, "privileges.privilegeEscalation", 0},
		"restricted, denied": {[]corev1.EphemeralContainer{plain, named("a", restricted)}, &v1alpha1.PrivilegePolicy{
			RootUser: v1alpha1.PolicyDeny, PrivilegeEscalation: v1alpha1.PolicyDeny, AddedCapabilities: v1alpha1.PolicyDeny, PrivilegedContainers: v1alpha1.PolicyDeny, HostNamespaces: v1alpha1.PolicyDeny,
		}, "", 1},
	} {
		h, _, api := glass(t, 0, nil)
		policy := &v1alpha1.ReleasePolicy{}
		if err := api.Get(t.Context(), client.ObjectKey{Name: "p"}, policy); err != nil {
			t.Fatal(err)
		}
		policy.Spec.Privileges = c.denies
		if err := api.Update(t.Context(), policy); err != nil {
			t.Fatal(err)
		}
		podWith := func(containers ...corev1.EphemeralContainer) runtime.RawExtension {
			data, err := json.Marshal(corev1.Pod{Spec: corev1.PodSpec{EphemeralContainers: containers}})
			if err != nil {
				t.Fatal(err)
			}
			return runtime.RawExtension{Raw: data}
		}
		response := h.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Update, Namespace: "shop", Name: "shop-1-web-x", SubResource: "ephemeralcontainers",
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, OldObject: podWith(plain), Object: podWith(c.containers...),
			UserInfo: authenticationv1.UserInfo{Username: "jane", Groups: []string{"oncall"}},
		}})
		uses := usesOf(t, api)
		if response.Allowed != (c.says == "") || len(uses) != c.uses || c.says != "" && !(strings.Contains(response.Result.Message, c.says) && strings.Contains(response.Result.Message, "STRATA-019")) {
			t.Errorf("%s: answered %t %+v, written down %+v", name, response.Allowed, response.Result, uses)
		}
		if last := c.containers[len(c.containers)-1].Name; len(uses) > 0 && (uses[0].ContainerName != last || uses[0].Way != v1alpha1.AccessDebug) {
			t.Errorf("%s: written down %+v", name, uses)
		}
	}
}
