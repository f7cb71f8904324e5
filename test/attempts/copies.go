package attempts

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Plain names what Prepare makes: somebody's own, which is not guarded.
const Plain = "plain"

// Prepare makes a pod that never runs, a Deployment without pods, an Ingress and a
// budget that are somebody's own, so that they can be made to look like a release's. It
// may be called again.
func (w *World) Prepare(ctx context.Context) error {
	labels := map[string]any{"app": Plain}
	pending := podSpec()
	pending["schedulerName"] = "nobody" // it stays so
	specs := map[object]map[string]any{
		w.plainPod():        pending,
		w.plainDeployment(): {"replicas": int64(0), "selector": map[string]any{"matchLabels": labels}, "template": template(labels)},
		w.plainIngress():    {"rules": []any{map[string]any{"host": "plain.example.com"}}},
		w.plainBudget():     {"maxUnavailable": int64(1), "selector": map[string]any{"matchLabels": labels}},
	}
	for o, spec := range specs {
		body := map[string]any{"apiVersion": o.resource.GroupVersion().String(), "kind": o.kind, "metadata": map[string]any{"name": o.name, "labels": labels}, "spec": spec}
		_, err := w.objects(o).Patch(ctx, o.name, types.ApplyPatchType, []byte(text(body)), metav1.PatchOptions{FieldManager: "somebody"})
		if err != nil {
			return fmt.Errorf("make %s: %w", o, err)
		}
	}
	return nil
}

func (w *World) plainPod() object { return w.in("", "v1", "pods", "Pod", Plain) }
func (w *World) plainDeployment() object {
	return w.in("apps", "v1", "deployments", "Deployment", Plain)
}
func (w *World) plainIngress() object {
	return w.in("networking.k8s.io", "v1", "ingresses", "Ingress", Plain)
}
func (w *World) plainBudget() object {
	return w.in("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", Plain)
}

func podSpec() map[string]any {
	return map[string]any{"containers": []any{map[string]any{"name": "app", "image": otherImage}}}
}

func template(labels map[string]any) map[string]any {
	return map[string]any{"metadata": map[string]any{"labels": labels}, "spec": podSpec()}
}

// copies carry our labels, annotations or owners.
func (w *World) copies() []Attempt {
	ours := map[string]any{v1alpha1.LabelRelease: w.Release, v1alpha1.LabelComponent: "web"}
	selector := map[string]any{"matchLabels": ours}
	once := template(ours)
	once["spec"].(map[string]any)["restartPolicy"] = "Never"
	job := map[string]any{"spec": map[string]any{"template": once}}
	specs := []struct {
		o    object
		body map[string]any
	}{
		{w.in("", "v1", "pods", "Pod", "copy"), map[string]any{"metadata": map[string]any{"labels": ours}, "spec": podSpec()}},
		{w.in("apps", "v1", "deployments", "Deployment", "copy"), map[string]any{"spec": map[string]any{"selector": selector, "template": template(ours)}}},
		{w.in("apps", "v1", "replicasets", "ReplicaSet", "copy"), map[string]any{"spec": map[string]any{"selector": selector, "template": template(ours)}}},
		{w.in("apps", "v1", "statefulsets", "StatefulSet", "copy"), map[string]any{"spec": map[string]any{"serviceName": "copy", "selector": selector, "template": template(ours)}}},
		{w.in("apps", "v1", "daemonsets", "DaemonSet", "copy"), map[string]any{"spec": map[string]any{"selector": selector, "template": template(ours)}}},
		{w.in("", "v1", "replicationcontrollers", "ReplicationController", "copy"), map[string]any{"spec": map[string]any{"replicas": int64(1), "selector": ours, "template": template(ours)}}},
		{w.in("", "v1", "podtemplates", "PodTemplate", "copy"), map[string]any{"template": template(ours)}},
		{w.in("batch", "v1", "jobs", "Job", "copy"), job},
		{w.in("batch", "v1", "cronjobs", "CronJob", "copy"), map[string]any{"spec": map[string]any{"schedule": "* * * * *", "jobTemplate": job}}},
		{w.in("", "v1", "services", "Service", "copy"), map[string]any{"metadata": map[string]any{"labels": map[string]any{v1alpha1.LabelTrack: w.Track, v1alpha1.LabelRoute: "public", v1alpha1.LabelRelease: w.Release}},
			"spec": map[string]any{"ports": []any{map[string]any{"port": int64(80)}}}}},
		{w.in("", "v1", "configmaps", "ConfigMap", "copy"), map[string]any{"metadata": map[string]any{"labels": ours}}},
		{w.in("", "v1", "secrets", "Secret", "copy"), map[string]any{"metadata": map[string]any{"labels": ours}}},
		{w.in("apps", "v1", "controllerrevisions", "ControllerRevision", "copy"), map[string]any{"metadata": map[string]any{"labels": ours}, "revision": int64(1), "data": map[string]any{}}},
	}
	var list []Attempt
	for _, s := range specs {
		list = append(list, w.creation("reserved labels", "a "+s.o.kind+" with our labels", rules("040"), w.Release, s.o, s.body))
	}
	owned := map[string]any{"metadata": map[string]any{"ownerReferences": []any{map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "ImmutableRelease", "name": w.Release, "uid": "f0f1f2f3"}}}}
	list = append(list, w.creation("reserved owners", "a ConfigMap that the release seems to own", rules("041"), "copy", w.in("", "v1", "configmaps", "ConfigMap", "copy"), owned))

	label := set(w.Release, "metadata", "labels", v1alpha1.LabelRelease)
	note := set("7", "metadata", "annotations", v1alpha1.AnnotationSequence)
	list = append(list, w.edits("reserved labels", w.plainPod(), rules("040"), "", []edit{label, note})...)
	list = append(list, w.edits("reserved labels by status", w.plainPod(), rules("040"), "", []edit{label}, "status")...)
	list = append(list, w.edits("reserved labels", w.plainDeployment(), rules("040"), "", []edit{
		label, note, set("web", "spec", "template", "metadata", "labels", v1alpha1.LabelComponent), set("x", "spec", "template", "metadata", "annotations", v1alpha1.AnnotationImages),
	})...)
	list = append(list, w.edits("reserved labels by status", w.plainDeployment(), rules("040"), "", []edit{note}, "status")...)
	list = append(list, w.edits("reserved labels by status", w.plainIngress(), rules("040"), "", []edit{set(w.Track, "metadata", "labels", v1alpha1.LabelTrack)}, "status")...)
	list = append(list, w.edits("reserved labels by status", w.plainBudget(), rules("040"), "", []edit{label}, "status")...)
	return list
}
