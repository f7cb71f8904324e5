package guards

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

func apps(resources ...string) []Target { return []Target{{"apps", "v1", resources}} }

// workloads are Deployments, what bounds their size, ReplicaSets and the Jobs of
// tests.
var workloads = []Route{
	{
		Name: "strata-deployments", Ways: "kubectl apply, edit, patch, replace, set image, set env, set resources, rollout restart, rollout undo, rollout pause, label, annotate; other owners or finalizers",
		Targets:     apps("deployments"),
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{deploymentController, garbageCollector},
		Variables:   variables(releaseOf),
		Rules: []Rule{
			frozen("STRATA-010", "Deployment", `variables.operator || (`+sameSpec+`)`, publishInstead).invalid("spec.selector", otherSelector),
			{
				ID:         "STRATA-011",
				Expression: excepted + ` || (` + sameMetadata + `)`,
				Says:       "labels, annotations, owners and finalizers of this Deployment belong to a release, and a release never changes",
				Detail:     `'labels, annotations, owners and finalizers of Deployment ' + object.metadata.name + ' belong to release ' + variables.release + ', and a release never changes'`,
				Instead:    publishInstead,
			},
		},
		Webhook: PathDeployment, WebhookName: "deployments.strata.dev",
	},
	{
		Name: "strata-scale", Ways: "kubectl scale, kubectl autoscale, somebody's own HorizontalPodAutoscaler or KEDA",
		Targets:     apps("deployments/scale", "replicasets/scale"),
		Operations:  operations(update),
		Only:        scaleOfRelease,
		Controllers: []string{autoscaler},
		Variables:   variables(scaledRelease, writersOf),
		Rules: []Rule{{
			ID:         "STRATA-012",
			Expression: excepted + ` || (` + sameSpec + `) || (request.resource.resource == 'deployments' && ('scale ' + request.userInfo.username) in variables.writers)`,
			Says:       "the size of this Deployment belongs to a release, and a release never changes",
			Detail:     `'the size of ' + oldObject.metadata.name + ' belongs to release ' + variables.release + ', and a release never changes'`,
			Instead:    "For another size now, set spec.capacity of its track; for another size for good, publish a new ImmutableRelease. A program that scales is named in spec.writers of a ReleasePolicy.",
		}},
		Webhook: PathDeployment, WebhookName: "scale.deployments.strata.dev",
	},
	{
		Name: "strata-deployments-status", Ways: "kubectl patch deployment --subresource=status",
		Targets:     apps("deployments/status"),
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{deploymentController},
		Variables:   variables(releaseOf),
		Rules:       []Rule{statusRule("STRATA-013", "Deployment", "the deployment controller alone: its release is judged by it")},
	},
	{
		Name: "strata-replicasets", Ways: "kubectl edit, patch, label, scale of a ReplicaSet",
		Targets:     apps("replicasets"),
		Operations:  operations(update),
		Only:        labelledByRelease,
		Controllers: []string{deploymentController, garbageCollector},
		Variables:   variables(releaseOf),
		// Sizes are the deployment controller's to write, templates are not.
		Rules: []Rule{frozen("STRATA-016", "ReplicaSet", `variables.operator || (variables.controller ? object.spec.template == oldObject.spec.template : (`+all(sameSpec, sameMetadata)+`))`, publishInstead).invalid("spec.selector", otherSelector)},
	},
	{
		Name: "strata-replicasets-status", Ways: "kubectl patch replicaset --subresource=status",
		Targets:     apps("replicasets/status"),
		Operations:  operations(update),
		Only:        labelledByRelease,
		Controllers: []string{replicaSetController},
		Variables:   variables(releaseOf),
		Rules:       []Rule{statusRule("STRATA-017", "ReplicaSet", "the ReplicaSet controller alone")},
	},
	{
		Name: "strata-tests", Ways: "kubectl edit, patch, suspend of the Job of a test; a forged result",
		Targets:     []Target{{"batch", "v1", []string{"jobs", "jobs/status"}}},
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{jobController, garbageCollector},
		Variables:   variables(releaseOf),
		Rules: []Rule{{
			ID:         "STRATA-014",
			Expression: `variables.operator || (variables.controller && ` + sameSpec + `)`,
			Says:       "this Job is a test of a release: its result is the job controller's to write, and its spec nobody's to change",
			Detail:     `'Job ' + oldObject.metadata.name + ' is a test of release ' + variables.release + ': its result is the job controller\'s to write, and its spec nobody\'s to change'`,
			Instead:    "To test again, create a ReleaseAction with action Retry.",
			Invalid:    "spec.template, spec.selector, spec.completions, and a status that no Job gets to",
			// A status is written without a spec, and a spec without a status.
			InvalidWhere: `request.?subResource.orValue('') == 'status' ? !(` + sameStatus + `) : !(` + sameSpec + `)`,
		}},
	},
	{
		Name: "strata-autoscalers", Ways: "kubectl edit, patch, label of a HorizontalPodAutoscaler",
		Targets:     []Target{{"autoscaling", "v2", []string{"horizontalpodautoscalers"}}},
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector},
		Variables:   variables(releaseOf),
		Rules:       []Rule{frozenRule("STRATA-020", "HorizontalPodAutoscaler", sameSpec, sizeInstead)},
	},
	{
		Name: "strata-disruptions", Ways: "kubectl edit, patch, label of a PodDisruptionBudget",
		Targets:     []Target{{"policy", "v1", []string{"poddisruptionbudgets"}}},
		Operations:  operations(update),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector},
		Variables:   variables(releaseOf),
		Rules:       []Rule{frozenRule("STRATA-021", "PodDisruptionBudget", sameSpec, publishInstead)},
	},
	{
		Name: "strata-bounds-status", Ways: "kubectl patch --subresource=status of a HorizontalPodAutoscaler or PodDisruptionBudget",
		Targets: []Target{
			{"autoscaling", "v2", []string{"horizontalpodautoscalers/status"}},
			{"policy", "v1", []string{"poddisruptionbudgets/status"}},
		},
		Operations: operations(update),
		Only:       ownedByRelease,
		// The API server counts evictions in the status of a budget.
		Controllers: []string{autoscaler, disruptionController, apiServer},
		Variables:   variables(releaseOf),
		Rules: []Rule{{
			ID:         "STRATA-025",
			Expression: `variables.controller`,
			Says:       "this status is written by its controller alone: sizes and evictions follow it",
			Detail:     `'the status of ' + oldObject.kind + ' ' + oldObject.metadata.name + ', of release ' + variables.release + ', is written by its controller alone: sizes and evictions follow it'`,
			Instead:    nothingInstead,
		}},
	},
	{
		Name: "strata-children", Ways: "kubectl delete, delete --all, replace --force, delete --cascade=orphan of what a release owns",
		Targets: []Target{
			{"apps", "v1", []string{"deployments", "controllerrevisions"}},
			core("services", "configmaps", "secrets"),
			{"autoscaling", "v2", []string{"horizontalpodautoscalers"}},
			{"policy", "v1", []string{"poddisruptionbudgets"}},
		},
		Operations:  operations(remove),
		Only:        ownedByRelease,
		Controllers: []string{garbageCollector, namespaceController},
		Variables:   variables(releaseOf),
		Rules: []Rule{{
			ID:         "STRATA-028",
			Expression: excepted,
			Says:       "what a release owns is not deleted",
			Detail:     belongs("object", ", and what a release owns is not deleted"),
			Instead:    retireInstead,
		}},
	},
	{
		Name: "strata-replicasets-deleted", Ways: "kubectl delete of a ReplicaSet",
		Targets:     apps("replicasets"),
		Operations:  operations(remove),
		Only:        labelledByRelease,
		Controllers: []string{deploymentController, garbageCollector, namespaceController},
		Variables:   variables(releaseOf),
		Rules: []Rule{{
			ID:         "STRATA-029",
			Expression: excepted,
			Says:       "the ReplicaSets of a release are not deleted",
			Detail:     belongs("ReplicaSet", ", and is not deleted"),
			Instead:    "To replace pods, delete or evict them: they come back as they were sealed.",
		}},
	},
	{
		Name: "strata-reserved", Ways: "a copy of a pod, a Deployment, a Job or anything else that carries our labels, annotations or owners, and kubectl label of what does not",
		Targets: []Target{
			core("pods", "pods/status", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers", "replicationcontrollers/status", "podtemplates", "services", "services/status", "configmaps", "secrets"),
			{"apps", "v1", []string{"deployments", "deployments/status", "replicasets", "replicasets/status", "statefulsets", "statefulsets/status", "daemonsets", "daemonsets/status", "controllerrevisions"}},
			{"batch", "v1", []string{"jobs", "jobs/status", "cronjobs", "cronjobs/status"}},
			{"autoscaling", "v2", []string{"horizontalpodautoscalers", "horizontalpodautoscalers/status"}},
			{"policy", "v1", []string{"poddisruptionbudgets", "poddisruptionbudgets/status"}},
			{"networking.k8s.io", "v1", []string{"ingresses", "ingresses/status"}},
			{"gateway.networking.k8s.io", "*", []string{"httproutes", "grpcroutes", "tlsroutes", "tcproutes"}},
			{"traefik.io", "*", []string{"traefikservices"}},
			{"networking.istio.io", "*", []string{"virtualservices"}},
		},
		Operations:  operations(create, update),
		Only:        carriesReserved,
		Controllers: []string{deploymentController, replicaSetController, jobController},
		Variables: variables(variable("restorer", "false"), tracked,
			variable("old", `oldObject == null ? {} : oldObject`),
			variable("template", `object.?spec.?jobTemplate.?spec.?template.or(object.?spec.?template).or(object.?template).orValue({})`),
			variable("oldTemplate", `variables.old.?spec.?jobTemplate.?spec.?template.or(variables.old.?spec.?template).or(variables.old.?template).orValue({})`),
		),
		Rules: []Rule{
			{
				ID: "STRATA-040",
				Expression: excepted + ` || variables.restorer || !variables.tracked || ` + all(
					reservedPart(`labels`), reservedPart(`annotations`)),
				Says:    "labels and annotations that begin with " + v1alpha1.ReservedPrefix + " are the operator's: what carries them is taken for a part of a release",
				Detail:  `object.kind + ' ' + object.metadata.?name.orValue(object.metadata.?generateName.orValue('')) + ': labels and annotations that begin with ` + v1alpha1.ReservedPrefix + ` are the operator\'s: what carries them is taken for a part of release ' + variables.old.?metadata.?labels[?'` + v1alpha1.LabelRelease + `'].or(object.metadata.?labels[?'` + v1alpha1.LabelRelease + `']).or(variables.template.?metadata.?labels[?'` + v1alpha1.LabelRelease + `']).orValue('(none)')`,
				Instead: ownPrefix,
			},
			{
				ID: "STRATA-041",
				Expression: excepted + ` || variables.restorer || !variables.tracked || object.metadata.?ownerReferences.orValue([]).all(o, !o.apiVersion.startsWith('` + v1alpha1.ReservedPrefix + `') || ` +
					`variables.old.?metadata.?ownerReferences.orValue([]).exists(p, p.uid == o.uid && p.kind == o.kind))`,
				Says:    "what a release or a track owns is made by the operator alone",
				Detail:  `object.kind + ' ' + object.metadata.?name.orValue(object.metadata.?generateName.orValue('')) + ': what a release or a track owns is made by the operator alone'`,
				Instead: ownPrefix,
			},
		},
	},
}

// carriesReserved finds what has, of its own or in its template, a reserved label or
// annotation, or one of our kinds as its owner. Nearly nothing does: it comes
// before all else that costs.
var carriesReserved = `[object.metadata.?labels, object.metadata.?annotations, ` +
	`object.?spec.?template.?metadata.?labels, object.?spec.?template.?metadata.?annotations, object.?template.?metadata.?labels, object.?template.?metadata.?annotations, ` +
	`object.?spec.?jobTemplate.?metadata.?labels, object.?spec.?jobTemplate.?metadata.?annotations, ` +
	`object.?spec.?jobTemplate.?spec.?template.?metadata.?labels, object.?spec.?jobTemplate.?spec.?template.?metadata.?annotations]` +
	`.exists(m, m.orValue({}).exists(k, k.startsWith('` + v1alpha1.ReservedPrefix + `'))) || ` +
	`object.metadata.?ownerReferences.orValue([]).exists(o, o.apiVersion.startsWith('` + v1alpha1.ReservedPrefix + `'))`

// reservedPart says that an object, its Job's and its pods' template have no
// reserved labels, or annotations, that they had not.
func reservedPart(field string) string {
	kept := func(now, old string) string {
		return reservedFrom(now+`.?metadata.?`+field+`.orValue({})`, old+`.?metadata.?`+field+`.orValue({})`, "")
	}
	return all(
		kept(`object`, `variables.old`),
		kept(`variables.template`, `variables.oldTemplate`),
		kept(`object.?spec.?jobTemplate`, `variables.old.?spec.?jobTemplate`),
	)
}
