package attempts

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

// HeldCRD is the CRD of which the removal is tried: the smallest, and marked while a
// release is held like all the others.
const HeldCRD = "releaseactions.strata.dev"

func (w *World) ours(resource, kind, name string) object {
	return w.in(v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, resource, kind, name)
}

// ourKinds are the release itself, its track and their log.
func (w *World) ourKinds() []Attempt {
	release := w.ours("immutablereleases", "ImmutableRelease", w.Release)
	track := w.ours("releasetracks", "ReleaseTrack", w.Track)
	record := w.ours("releaserecords", "ReleaseRecord", w.Record)
	// The schema has the first word, with a 422.
	spec := func(e edit) []edit { return []edit{invalid(e)} }
	owners := edit{what: "another owner", change: func(object map[string]any) {
		object["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "trap", "uid": "f0f1f2f3"}}
	}}
	action := map[string]any{"spec": map[string]any{"trackName": w.Track, "releaseName": w.Release, "action": "Rollback", "requester": "somebody-else", "reason": "x"}}
	list := slices.Concat(
		w.edits("releases", release, rules("002"), "", spec(set("9", "spec", "version"))),
		w.edits("releases, reserved", release, rules("003", "004"), "", []edit{
			set("9", "metadata", "labels", v1alpha1.LabelHeld), set("9", "metadata", "annotations", v1alpha1.AnnotationSequence),
		}),
		w.edits("releases, owners", release, rules("031"), w.Release, []edit{owners}),
		w.edits("releases/status", release, rules("034"), w.Release, []edit{set(int64(1), "status", "weightPercent")}, "status"),
		w.edits("releasetracks/status", track, rules("034"), w.Track, []edit{set("other", "status", "stableReleaseName")}, "status"),
		w.deletions("releases", release, rules("030"), w.Release, v1alpha1.LabelHeld),
		w.edits("records", record, rules("006"), "", spec(set("forged", "spec", "reason"))),
		w.edits("records, reserved", record, rules("003"), "", []edit{unset("metadata", "labels", v1alpha1.LabelTrack)}),
		w.deletions("records", record, rules("007"), w.Track, v1alpha1.LabelTrack+"="+w.Track),
	)
	return append(list, w.creation("actions", "an action in another's name", rules("008"), "", w.ours("releaseactions", "ReleaseAction", "forged"), action))
}

// cluster is what is not in the namespace of the release.
func (w *World) cluster() []Attempt {
	namespace := object{resource: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, kind: "Namespace", name: w.Namespace}
	crd := object{resource: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		kind: "CustomResourceDefinition", name: HeldCRD}
	unguarded := []edit{unset("metadata", "labels", v1alpha1.LabelGuarded)}
	forged := []edit{set("annotate note system:admin", "metadata", "annotations", v1alpha1.AnnotationWriters)}
	version := func(what string, change func(map[string]any)) edit {
		return edit{what: what, removes: true, change: func(object map[string]any) {
			change(object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any))
		}}
	}
	weaker := []edit{
		version("nothing frozen", func(v map[string]any) {
			unstructured.RemoveNestedField(v, "schema", "openAPIV3Schema", "properties", "spec", "x-kubernetes-validations")
		}),
		version("another status", func(v map[string]any) { delete(v, "subresources") }),
		version("spec forgotten", func(v map[string]any) {
			unstructured.RemoveNestedField(v, "schema", "openAPIV3Schema", "properties", "spec")
			unstructured.RemoveNestedField(v, "schema", "openAPIV3Schema", "required")
			delete(v, "selectableFields")
		}),
		version("a field of spec forgotten", func(v map[string]any) {
			spec := v["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)["spec"].(map[string]any)
			delete(spec["properties"].(map[string]any), "weightPercent")
			// What speaks of it goes too, else this is no CRD.
			spec["x-kubernetes-validations"] = []any{map[string]any{"rule": "self == oldSelf"}}
		}),
		{what: "a webhook that converts", change: func(object map[string]any) {
			object["spec"].(map[string]any)["conversion"] = map[string]any{"strategy": "Webhook", "webhook": map[string]any{
				"conversionReviewVersions": []any{"v1"}, "clientConfig": map[string]any{"url": "https://192.0.2.7/"}}}
		}},
	}
	list := slices.Concat(
		w.edits("namespaces", namespace, rules("053"), w.Release, unguarded),
		w.edits("namespaces/status", namespace, rules("053"), w.Release, unguarded, "status"),
		w.edits("namespaces, notes", namespace, rules("054"), w.Namespace, forged),
		w.edits("namespaces/status, notes", namespace, rules("054"), w.Namespace, forged, "status"),
		w.edits("crds", crd, rules("035"), crd.name, weaker),
		w.edits("crds, reserved", crd, rules("033"), "", []edit{unset("metadata", "labels", v1alpha1.LabelHeld)}),
		w.deletions("crds", crd, rules("032"), crd.name, v1alpha1.LabelHeld)[:1],
	)
	return append(list, w.identity()...)
}

// identity are the ways to become the operator.
func (w *World) identity() []Attempt {
	in := func(resource, kind, name string) object {
		return object{resource: schema.GroupVersionResource{Version: "v1", Resource: resource}, kind: kind, namespace: guards.Namespace, name: name}
	}
	account := in("serviceaccounts", "ServiceAccount", guards.ServiceAccount)
	token := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"audiences": []any{}}}
	secret := map[string]any{"type": "kubernetes.io/service-account-token",
		"metadata": map[string]any{"annotations": map[string]any{"kubernetes.io/service-account.name": guards.ServiceAccount}}}
	pod := podSpec()
	pod["serviceAccountName"] = guards.ServiceAccount
	// It would pass what the operator's namespace demands of pods.
	pod["securityContext"] = map[string]any{"runAsNonRoot": true, "runAsUser": int64(65532), "seccompProfile": map[string]any{"type": "RuntimeDefault"}}
	pod["containers"].([]any)[0].(map[string]any)["securityContext"] = map[string]any{
		"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}}
	list := []Attempt{
		w.creation("tokens", "kubectl create token", rules("070"), "", account, token, "token"),
		w.creation("tokens", "a Secret with a token", rules("071"), "", in("secrets", "Secret", "token"), secret),
		w.creation("tokens", "a pod that runs as the operator", rules("072"), "", in("pods", "Pod", "copy"), map[string]any{"spec": pod}),
	}
	list = append(list, w.borrowed()...)
	if w.OperatorPod == "" {
		return list
	}
	bound := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"audiences": []any{},
		"boundObjectRef": map[string]any{"apiVersion": "v1", "kind": "Pod", "name": w.OperatorPod}}}
	for _, way := range []string{"exec?command=sh&stdout=1", "attach?stdout=1"} {
		list = append(list, w.connection("the operator's pod", "POST", "/api/v1/namespaces/"+guards.Namespace+"/pods/"+w.OperatorPod+"/"+way, rules("073"), w.OperatorPod))
	}
	image := edit{what: "another image", change: func(object map[string]any) { setImage(object, "spec") }}
	list = append(list, w.edits("the operator's pod", in("pods", "Pod", w.OperatorPod), rules("072"), "", []edit{image})...)
	return append(list, w.creation("tokens", "kubectl create token, bound to the operator's pod", rules("070"), "", account, bound, "token"))
}

// borrowed are names that somebody with all rights takes on: the operator's, and those
// of controllers, which may write metadata and sizes, and nothing else.
func (w *World) borrowed() []Attempt {
	controller := func(name string) string { return "system:serviceaccount:kube-system:" + name }
	const deployments, garbage = "deployment-controller", "generic-garbage-collector"
	replicas, template := `{"spec":{"replicas":9}}`, `{"spec":{"template":{"metadata":{"annotations":{"note":"hello"}}}}}`
	deadline, selector := `{"spec":{"activeDeadlineSeconds":9999}}`, `{"spec":{"selector":{"app":"rogue"}}}`
	deployment := w.in("apps", "v1", "deployments", "Deployment", w.child())
	return slices.Concat(
		w.borrowing(guards.InCluster.Username, deployment, rules("010"), w.Release, replicas),
		w.borrowing(controller(deployments), deployment, rules("010"), w.Release, template),
		w.borrowing(controller(garbage), deployment, rules("010"), w.Release, replicas),
		w.borrowing(controller(deployments), w.in("apps", "v1", "replicasets", "ReplicaSet", w.ReplicaSet), rules("016"), w.Release, template),
		w.borrowing(controller("replicaset-controller"), w.in("", "v1", "pods", "Pod", w.Pod), rules("018"), w.Release, deadline),
		w.borrowing(controller("job-controller"), w.in("batch", "v1", "jobs", "Job", w.Job), rules("014"), w.Tested, deadline),
		w.borrowing(controller(garbage), w.in("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", w.child()), rules("020"), w.Release, `{"spec":{"maxReplicas":90}}`),
		w.borrowing(controller(garbage), w.in("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", w.child()), rules("021"), w.Release, `{"spec":{"maxUnavailable":"100%"}}`),
		w.borrowing(controller(garbage), w.in("", "v1", "services", "Service", w.child()), rules("023"), w.Release, selector),
		w.borrowing(controller(garbage), w.in("apps", "v1", "controllerrevisions", "ControllerRevision", w.Release+"-seal"), rules("027"), w.Release, `{"revision":9}`),
		w.borrowing(controller(garbage), w.in("", "v1", "services", "Service", w.StableService), rules("036"), w.Track, selector),
	)
}

func (w *World) borrowing(name string, o object, rules []string, mentions, patch string) []Attempt {
	if o.name == "" {
		return nil
	}
	return []Attempt{{Row: "borrowed names", What: patch + " of " + o.String() + " as " + name, rules: rules, mentions: mentions, of: &o,
		try: func(ctx context.Context, dryRun []string) error {
			config := rest.CopyConfig(w.config)
			config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:masters", "system:authenticated"}}
			c, err := dynamic.NewForConfig(config)
			if err != nil {
				return fmt.Errorf("make a client: %w", err)
			}
			_, err = c.Resource(o.resource).Namespace(o.namespace).Patch(ctx, o.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{DryRun: dryRun})
			return err
		}}}
}
