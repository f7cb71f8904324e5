package attempts

import (
	"context"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
)

// podWrites are changes of pods.
func (w *World) podWrites() []Attempt {
	var list []Attempt
	for _, p := range []struct{ name, release string }{{w.Pod, w.Release}, {w.JobPod, w.Tested}} {
		name, release := p.name, p.release
		pod := w.in("", "v1", "pods", "Pod", name)
		list = append(list, slices.Concat(
			w.edits("pods", pod, rules("018"), release, append(metadataEdits(),
				edit{what: "another image", change: func(object map[string]any) { setImage(object, "spec") }},
				edit{what: "another toleration", change: func(object map[string]any) {
					spec := object["spec"].(map[string]any)
					tolerations, _ := spec["tolerations"].([]any)
					spec["tolerations"] = append(slices.Clone(tolerations), map[string]any{"key": "other", "operator": "Exists"})
				}},
				invalid(set(true, "spec", "hostNetwork")), invalid(set("other", "spec", "serviceAccountName")),
				invalid(edit{what: "another command", change: func(object map[string]any) {
					firstContainer(object)["command"] = []any{"sh"}
				}}))),
			w.edits("pods/status", pod, rules("015"), release, []edit{
				set("forged", "status", "message"), set("checkout", "metadata", "labels", "team"), set("hello", "metadata", "annotations", "note"),
			}, "status"),
			w.edits("pods/ephemeralcontainers", pod, rules("019"), release, []edit{{what: "kubectl debug", change: func(object map[string]any) {
				object["spec"].(map[string]any)["ephemeralContainers"] = []any{map[string]any{"name": "debugger", "image": otherImage}}
			}}}, "ephemeralcontainers"),
			w.edits("pods/resize", pod, rules("022"), release, []edit{{what: "other resources", change: func(object map[string]any) {
				firstContainer(object)["resources"] = map[string]any{"requests": map[string]any{"cpu": "7m", "memory": "12Mi"}}
			}, invalid: name == w.JobPod}, invalid(edit{what: "another class of service", change: func(object map[string]any) {
				size := map[string]any{"cpu": "7m", "memory": "12Mi"}
				firstContainer(object)["resources"] = map[string]any{"requests": size, "limits": size}
			}})}, "resize"),
		)...)
	}
	binding := map[string]any{"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": w.Pod, "labels": map[string]any{"strata.dev/release": w.Release}},
		"target": map[string]any{"kind": "Node", "name": "elsewhere"}}
	byHand := map[string]any{"apiVersion": "v1", "kind": "Binding", "metadata": map[string]any{"name": w.Pod}, "target": binding["target"]}
	return append(list,
		w.creation("pods/binding", "our labels by a binding", rules("042"), w.Pod, w.in("", "v1", "pods", "Pod", w.Pod), binding, "binding"),
		w.creation("pods/binding", "a pod bound by hand", rules("043"), w.Pod, w.in("", "v1", "pods", "Pod", w.Pod), byHand, "binding"),
		w.creation("bindings", "a pod bound by hand", rules("043"), w.Pod, w.in("", "v1", "bindings", "Binding", ""), byHand),
	)
}

// interactive are the ways into a running container.
func (w *World) interactive() []Attempt {
	var list []Attempt
	for _, verb := range []string{"GET", "POST"} {
		for _, subresource := range []string{"exec?command=sh&container=app&stdout=1", "attach?stdout=1", "portforward?ports=8080"} {
			list = append(list, w.connection(subresource, verb, "/api/v1/namespaces/"+w.Namespace+"/pods/"+w.Pod+"/"+subresource, rules("050"), w.Pod))
		}
		list = append(list,
			w.connection("pods/proxy", verb, "/api/v1/namespaces/"+w.Namespace+"/pods/"+w.Pod+":8080/proxy/", rules("051"), w.Pod),
			w.connection("services/proxy", verb, "/api/v1/namespaces/"+w.Namespace+"/services/"+w.child()+":80/proxy/x", rules("051"), w.child()))
	}
	if w.Node != "" {
		for _, path := range []string{"exec/" + w.Namespace + "/" + w.Pod + "/app?command=sh", "run/" + w.Namespace + "/" + w.Pod + "/app?cmd=sh",
			"attach/" + w.Namespace + "/" + w.Pod + "/app", "portForward/" + w.Namespace + "/" + w.Pod, "cri/exec/x", "checkpoint/" + w.Namespace + "/" + w.Pod + "/app",
			"EXEC/" + w.Namespace + "/" + w.Pod + "/app", "./exec/" + w.Namespace + "/" + w.Pod + "/app", "pods/../run/" + w.Namespace + "/" + w.Pod + "/app", "%65xec/" + w.Namespace + "/" + w.Pod + "/app"} {
			list = append(list, w.connection("nodes/proxy", "POST", "/api/v1/nodes/"+w.Node+"/proxy/"+path, rules("052"), w.Node))
		}
	}
	return list
}

// connection asks for a connection; the API server refuses it before it is made.
func (w *World) connection(row, verb, path string, ids []string, mentions string) Attempt {
	row, _, _ = strings.Cut(row, "?")
	return Attempt{Row: row, What: verb + " " + path, rules: ids, mentions: mentions, try: func(ctx context.Context, _ []string) error {
		return request(w, verb, path).Do(ctx).Error()
	}}
}

func request(w *World, verb, path string) *rest.Request {
	return w.typed.CoreV1().RESTClient().Verb(verb).RequestURI(path)
}

func firstContainer(pod map[string]any) map[string]any {
	return pod["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
}
