package attempts

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/strata-release/strata/api/v1alpha1"
)

func (w *World) in(group, version, resource, kind, name string) object {
	return object{resource: schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, kind: kind, namespace: w.Namespace, name: name}
}

func rules(ids ...string) []string {
	for i := range ids {
		ids[i] = "STRATA-" + ids[i]
	}
	return ids
}

// selector picks the objects of the release.
func (w *World) selector() string { return v1alpha1.LabelRelease + "=" + w.Release }

// children are what a release owns, and what these make.
func (w *World) children() []Attempt {
	deployment := w.in("apps", "v1", "deployments", "Deployment", w.child())
	replicaSet := w.in("apps", "v1", "replicasets", "ReplicaSet", w.ReplicaSet)
	autoscaler := w.in("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", w.child())
	budget := w.in("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", w.child())
	job := w.in("batch", "v1", "jobs", "Job", w.Job)
	configMap := w.in("", "v1", "configmaps", "ConfigMap", w.ConfigMap)
	secret := w.in("", "v1", "secrets", "Secret", w.Secret)
	seal := w.in("apps", "v1", "controllerrevisions", "ControllerRevision", w.Release+"-seal")

	scaled := []edit{set(int64(9), "spec", "replicas"), set(int64(0), "spec", "replicas")}
	label := set("checkout", "spec", "template", "metadata", "labels", "team")
	restart := set("now", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
	image := edit{what: "another image", change: func(object map[string]any) {
		setImage(object, "spec", "template", "spec")
	}}
	selector := invalid(set("checkout", "spec", "selector", "matchLabels", "team"))
	content := []edit{
		invalid(edit{what: "other content", change: func(object map[string]any) {
			object["data"] = map[string]any{"theme": "bGlnaHQ="}
		}}),
		invalid(set(false, "immutable")), invalid(unset("immutable")),
	}
	return slices.Concat(
		w.edits("deployments", deployment, rules("010"), w.Release, append([]edit{
			set(int64(7), "spec", "minReadySeconds"), set(true, "spec", "paused"), label, restart, image, selector,
		}, scaled...)),
		w.edits("deployments, metadata", deployment, rules("011", "010"), w.Release, metadataEdits()),
		w.edits("deployments, our labels", deployment, rules("011", "010", "040"), w.Release,
			[]edit{unset("metadata", "labels", v1alpha1.LabelRelease), set("other", "metadata", "labels", v1alpha1.LabelRelease)}),
		w.edits("scale", deployment, rules("012"), w.Release, scaled, "scale"),
		w.edits("deployments/status", deployment, rules("013"), w.Release, []edit{
			set(int64(99), "status", "observedGeneration"), set("hello", "metadata", "annotations", "note"), unset("metadata", "ownerReferences"),
		}, "status"),
		w.edits("replicasets", replicaSet, rules("016"), w.Release, append(metadataEdits(), set(int64(7), "spec", "minReadySeconds"), set(int64(9), "spec", "replicas"), selector)),
		w.edits("replicasets/status", replicaSet, rules("017"), w.Release, []edit{
			set(int64(99), "status", "observedGeneration"), set("checkout", "metadata", "labels", "team"), unset("metadata", "ownerReferences"),
		}, "status"),
		w.edits("scale", replicaSet, rules("012"), w.Release, scaled, "scale"),
		w.edits("horizontalpodautoscalers", autoscaler, rules("020"), w.Release, append(metadataEdits(), set(int64(90), "spec", "maxReplicas"))),
		w.edits("horizontalpodautoscalers/status", autoscaler, rules("025"), w.Release, []edit{set(int64(9), "status", "desiredReplicas"), set("checkout", "metadata", "labels", "team")}, "status"),
		w.edits("poddisruptionbudgets", budget, rules("021"), w.Release, append(metadataEdits(), set("100%", "spec", "maxUnavailable"))),
		w.edits("poddisruptionbudgets/status", budget, rules("025"), w.Release, []edit{set(int64(9), "status", "disruptionsAllowed"), set("checkout", "metadata", "labels", "team")}, "status"),
		w.edits("jobs", job, rules("014"), w.Tested, append(metadataEdits(), set(int64(9999), "spec", "activeDeadlineSeconds"), set(int64(1), "spec", "ttlSecondsAfterFinished"),
			invalid(label), invalid(image), selector, invalid(set(int64(3), "spec", "completions")), invalid(set("Indexed", "spec", "completionMode")))),
		w.edits("jobs/status", job, rules("014"), w.Tested, []edit{
			invalid(set(int64(9), "status", "failed")), invalid(set("2026-01-01T00:00:00Z", "status", "completionTime")), set("checkout", "metadata", "labels", "team"),
		}, "status"),
		w.edits("configmaps", configMap, rules("026"), w.Release, append(append(metadataEdits(), content...), invalid(set("aGk=", "binaryData", "logo")))),
		w.edits("secrets", secret, rules("026"), w.Release, append(append(metadataEdits(), content...), invalid(set("example.com/other", "type")))),
		w.edits("controllerrevisions", seal, rules("027"), w.Release, append(metadataEdits(), set(int64(9), "revision"), content[0])),
		w.deletions("deletions", deployment, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", autoscaler, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", budget, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", configMap, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", secret, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", seal, rules("028"), w.Release, w.selector()),
		w.deletions("deletions", replicaSet, rules("029"), w.Release, w.selector()),
	)
}

const otherImage = "registry.example.com/shop/other@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// setImage changes the first container of a pod that stands at a path.
func setImage(object map[string]any, path ...string) {
	pod := object
	for _, element := range path {
		pod = pod[element].(map[string]any)
	}
	pod["containers"].([]any)[0].(map[string]any)["image"] = otherImage
}
