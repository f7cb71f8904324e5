package guards

import (
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ours is a Target among the kinds of Strata.
func ours(resources ...string) []Target {
	return []Target{{v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, resources}}
}

// recordIsCreated: who may bring a record back is said by the row of records.
const recordIsCreated = `(request.operation == 'CREATE' && request.resource.resource == 'releaserecords')`

// newTemplate: a track has a template that it did not have.
const newTemplate = `(has(object.spec.releaseTemplate) && (oldObject == null || object.spec.?releaseTemplate != oldObject.spec.?releaseTemplate))`

// bySchema: the CRD has the rule itself, and its message begins with the ID.
const bySchema = "every change: the schema has this rule too, under this ID"

// ourKinds are releases, tracks, records, actions and policies.
var ourKinds = []Route{
	{
		Name: "strata-namespaces", Ways: "a release among the cluster's own programs",
		Targets:    ours("immutablereleases", "releasetracks", "releaseactions"),
		Operations: operations(create),
		Everywhere: true,
		Rules: []Rule{{
			ID:         "STRATA-001",
			Expression: `!(object.metadata.namespace in ['kube-system', '` + Namespace + `'])`,
			Says:       "kube-system and " + Namespace + " are left alone by the guards",
			Instead:    "Releases live in the namespace of their application.",
		}},
	},
	{
		Name: "strata-releases", Ways: "kubectl edit, patch, apply or replace of a release or an action",
		Targets:    ours("immutablereleases", "releaseactions"),
		Operations: operations(update),
		Rules: []Rule{{
			ID:         "STRATA-002",
			Expression: sameSpec,
			Says:       "spec is immutable",
			Detail:     `object.kind + ' ' + object.metadata.name + ': spec is immutable'`,
			Instead:    "Publish a new object instead.",
			Invalid:    bySchema,
		}},
	},
	{
		Name: "strata-reserved-metadata", Ways: "kubectl label, annotate of our kinds",
		Targets:    ours("immutablereleases", "releasetracks", "releaserecords", "releaseactions"),
		Operations: operations(create, update),
		Variables:  variables(labelsOf, annotationsOf, oldLabels, oldAnnotation),
		Rules: []Rule{
			{
				ID:         "STRATA-003",
				Expression: `variables.operator || ` + recordIsCreated + ` || (` + reservedKept("labels", "oldLabels", "") + `)`,
				Says:       "labels that begin with " + v1alpha1.ReservedPrefix + " are the operator's",
				Instead:    "Leave them out, and leave them as they are.",
			},
			{
				ID: "STRATA-004",
				Expression: `variables.operator || (` + reservedKept("annotations", "oldAnnotations",
					`(k == '`+v1alpha1.AnnotationRequestedBy+`' && (oldObject == null || `+newTemplate+`) && variables.annotations[k] == request.userInfo.username)`) + `)`,
				Says:    "annotations that begin with " + v1alpha1.ReservedPrefix + " are the operator's",
				Instead: "Leave them out, and leave them as they are.",
			},
		},
	},
	{
		Name: "strata-templates", Ways: "spec.releaseTemplate of a track, by who may not publish its release, in somebody else's name, or of the same version",
		Targets:    ours("releasetracks"),
		Operations: operations(create, update),
		Only:       newTemplate,
		Variables:  variables(annotationsOf),
		Rules: []Rule{
			{
				ID:         "STRATA-045",
				Expression: `variables.operator || authorizer.group('` + v1alpha1.GroupVersion.Group + `').resource('immutablereleases').namespace(object.metadata.namespace).check('create').allowed()`,
				Says:       "who changes spec.releaseTemplate publishes a release, and must have the right to",
				Detail:     `"user '" + request.userInfo.username + "' needs the verb 'create' on immutablereleases.` + v1alpha1.GroupVersion.Group + ` in namespace '" + object.metadata.namespace + "' to change spec.releaseTemplate of ReleaseTrack " + object.metadata.name + ": it creates a release"`,
				Instead:    "Have the verb granted by a Role.",
			},
			{
				ID:         "STRATA-046",
				Expression: `variables.operator || variables.annotations[?'` + v1alpha1.AnnotationRequestedBy + `'].orValue(request.userInfo.username) == request.userInfo.username`,
				Says:       "who changes spec.releaseTemplate is named as its author by " + v1alpha1.AnnotationRequestedBy + ", and nobody else",
				Instead:    "Leave the annotation out: where the cluster has MutatingAdmissionPolicies it is put there. Elsewhere name yourself.",
			},
			{
				ID:         "STRATA-047",
				Expression: `oldObject == null || object.?spec.?releaseTemplate.?version != oldObject.?spec.?releaseTemplate.?version`,
				Says:       "spec.releaseTemplate has other content and the same version, which has one content for ever",
				Detail:     `'ReleaseTrack ' + object.metadata.name + ': spec.releaseTemplate has other content and the same version, which has one content for ever'`,
				Instead:    "Raise spec.releaseTemplate.version with every change.",
				Invalid:    bySchema,
			},
		},
	},
	{
		Name: "strata-our-status", Ways: "kubectl patch --subresource=status of our kinds",
		Targets:    ours("immutablereleases/status", "releasetracks/status", "releaseactions/status", "releaserecords/status", "releasepolicies/status"),
		Operations: operations(update),
		Rules: []Rule{{
			ID:         "STRATA-034",
			Expression: `variables.operator || (` + sameStatus + `)`,
			Says:       "the status is written by the operator alone",
			Detail:     `'the status of ' + object.kind + ' ' + object.metadata.name + ' is written by the operator alone'`,
			Instead:    "Nothing is decided by a status: create a ReleaseAction for what shall happen.",
		}},
	},
	{
		Name: "strata-held", Ways: "kubectl delete of a release; owners with which it would go",
		Targets:     ours("immutablereleases"),
		Operations:  operations(update, remove),
		Only:        held,
		Controllers: []string{namespaceController, garbageCollector},
		Variables: variables(variable("how",
			`oldObject.?status.?weightPercent.orValue(0) > 0 ? 'it serves ' + string(oldObject.status.weightPercent) + ' % of the traffic' : 'it stands by for a rollback, or is pinned'`)),
		Rules: []Rule{
			{
				ID:         "STRATA-030",
				Expression: `request.operation != 'DELETE' || ` + excepted,
				Says:       "the release serves, stands by or is pinned",
				Detail:     `'release ' + oldObject.metadata.name + ' is held by track ' + oldObject.spec.trackName + ': ' + variables.how`,
				Instead:    letGoInstead,
			},
			{
				ID:         "STRATA-031",
				Expression: `request.operation != 'UPDATE' || variables.operator || ` + sameOwners,
				Says:       "a release that is held gets no other owners: it would go with them",
				Detail:     `'release ' + oldObject.metadata.name + ' is held by track ' + oldObject.spec.trackName + ' and gets no other owners: it would go with them'`,
				Instead:    letGoInstead,
			},
		},
	},
	{
		Name: "strata-records", Ways: "kubectl create, edit, delete of records",
		Targets:     ours("releaserecords"),
		Operations:  operations(create, update, remove),
		Controllers: []string{namespaceController, garbageCollector},
		Rules: []Rule{
			{
				ID:         "STRATA-005",
				Expression: `request.operation != 'CREATE' || variables.operator || authorizer.group('` + v1alpha1.GroupVersion.Group + `').resource('releasetracks').namespace(object.metadata.namespace).name(object.spec.trackName).check('restore').allowed()`,
				Says:       "records are written by the operator alone",
				Instead:    "To ask for something, create a ReleaseAction; to bring a lost log back, have the verb restore on its releasetrack.",
			},
			{
				ID:         "STRATA-006",
				Expression: `request.operation != 'UPDATE' || ` + sameSpec,
				Says:       "records are never changed: they are the log of their track",
				Instead:    "To ask for something, create a ReleaseAction.",
				Invalid:    bySchema,
			},
			{
				ID:         "STRATA-007",
				Expression: `request.operation != 'DELETE' || ` + excepted,
				Says:       "records are the log of their track, and are removed by its retention alone",
				Detail:     `'ReleaseRecord ' + oldObject.metadata.name + ' belongs to the log of track ' + oldObject.spec.trackName + ', and is removed by the retention of that track alone'`,
				Instead:    "Set spec.retention.recordLimit of the track.",
			},
		},
	},
	{
		Name: "strata-actions", Ways: "an action in somebody else's name, or without the right",
		Targets:    ours("releaseactions"),
		Operations: operations(create),
		Variables: variables(variable("verb",
			`{'Approve': 'approve', 'Abort': 'abort', 'Retry': 'retry', 'Rollback': 'rollback', 'SkipHold': 'skip', 'BreakGlass': 'breakglass'}[?object.spec.action].orValue('unknown')`)),
		Rules: []Rule{
			{
				ID:         "STRATA-008",
				Expression: `object.spec.requester == request.userInfo.username`,
				Says:       "spec.requester must be the user who creates the action",
				Detail:     `"spec.requester is '" + object.spec.requester + "', and must be the user who creates the action: '" + request.userInfo.username + "'"`,
				Instead:    "Name yourself as spec.requester.",
			},
			{
				ID:         "STRATA-009",
				Expression: `authorizer.group('` + v1alpha1.GroupVersion.Group + `').resource('releasetracks').namespace(object.metadata.namespace).name(object.spec.trackName).check(variables.verb).allowed()`,
				Says:       "the user may not do this on the track",
				Detail:     `"user '" + request.userInfo.username + "' needs the verb '" + variables.verb + "' on releasetracks." + '` + v1alpha1.GroupVersion.Group + `/' + object.spec.trackName + " in namespace '" + object.metadata.namespace + "'"`,
				Instead:    "Have the verb granted by a Role.",
			},
		},
	},
	{
		Name: "strata-used-actions", Ways: "kubectl delete of a BreakGlass that was used",
		Targets:     ours("releaseactions"),
		Operations:  operations(remove),
		Only:        `oldObject.?status.?uses.orValue([]).size() > 0 && oldObject.?status.?outcome.orValue('') == ''`,
		Controllers: []string{namespaceController},
		Rules: []Rule{{
			ID:         "STRATA-057",
			Expression: excepted,
			Says:       "by this action pods were entered, and it says which until they are replaced",
			Detail:     `'by ReleaseAction ' + oldObject.metadata.name + ' pods were entered, and it says which until they are replaced'`,
			Instead:    "It can be deleted when its outcome is there: after its end, and when the pods are gone.",
		}},
	},
	{
		Name: "strata-crds", Ways: "kubectl delete, edit of our CRDs",
		Targets:    []Target{{"apiextensions.k8s.io", "v1", []string{"customresourcedefinitions"}}},
		Operations: operations(create, update, remove),
		Only:       `(oldObject == null ? object : oldObject).spec.group == '` + v1alpha1.GroupVersion.Group + `'`,
		Everywhere: true,
		Variables: variables(
			variable("labels", `object == null ? {} : object.metadata.?labels.orValue({})`), oldLabels,
			variable("held", `'`+v1alpha1.LabelHeld+`' in variables.oldLabels`)),
		Rules: []Rule{
			{
				ID:         "STRATA-032",
				Expression: `request.operation != 'DELETE' || variables.operator || !variables.held`,
				Says:       "releases are held: with this CRD all that serves would go",
				Detail:     `'releases are held: with CRD ' + oldObject.metadata.name + ' all that serves would go'`,
				Instead:    "Delete the tracks first, then the releases with --cascade=orphan, and applications serve on: see docs/uninstall.md.",
			},
			{
				ID:         "STRATA-033",
				Expression: `request.operation == 'DELETE' || variables.operator || (` + reservedKept("labels", "oldLabels", "") + `)`,
				Says:       "labels of CRDs that begin with " + v1alpha1.ReservedPrefix + " are the operator's",
				Instead:    "Write CRDs by kubectl apply, which leaves them as they are.",
			},
			{
				ID:         "STRATA-035",
				Expression: `request.operation != 'UPDATE' || variables.operator || !variables.held || ` + crdAsStrong,
				Says:       "releases are held: their CRD is not made to forget, convert, hide or unfreeze what is stored",
				Detail:     `'releases are held: CRD ' + oldObject.metadata.name + ' is not made to forget, convert, hide or unfreeze what is stored'`,
				Instead:    "Apply the CRDs of a release of Strata as they are.",
			},
		},
	},
	tellWebhook("releases", PathRelease, "immutablereleases"),
	tellWebhook("tracks", PathTrack, "releasetracks"),
	tellWebhook("actions", PathAction, "releaseactions"),
	tellWebhook("records", PathRecord, "releaserecords"),
	tellWebhook("policies", PathPolicy, "releasepolicies"),
}

// crdAsStrong says that every version of a CRD that was served still is, nothing
// is converted, what was frozen in it still is, and it knows every field of spec that it
// knew: what is not in the schema is gone when the object is next read.
var crdAsStrong = `(object.spec.scope == oldObject.spec.scope && object.spec.?conversion.?strategy.orValue('None') == 'None' && ` +
	`oldObject.spec.versions.all(o, !o.served || object.spec.versions.exists(v, v.name == o.name && v.served && v.storage == o.storage && ` +
	`has(v.subresources) == has(o.subresources) && has(v.schema.openAPIV3Schema.properties) && 'spec' in v.schema.openAPIV3Schema.properties && ` +
	`!('x-kubernetes-preserve-unknown-fields' in v.schema.openAPIV3Schema) && ` +
	`o.schema.openAPIV3Schema.properties.spec[?'x-kubernetes-validations'].orValue([]).all(r, ` +
	`r.rule != 'self == oldSelf' || v.schema.openAPIV3Schema.properties.spec[?'x-kubernetes-validations'].orValue([]).exists(s, s.rule == r.rule)) && ` +
	`[o.schema.openAPIV3Schema.properties.spec].all(o0, [v.schema.openAPIV3Schema.properties.spec].all(v0, ` + fieldsKept(0) + `)))))`

// crdDepth is how deep the fields of spec are looked at: all of them (TestCRDDepth).
const crdDepth = 13

// fieldsKept says that the schema v<level> has all fields of o<level>, and so on below.
// The items of a list are seen as the list itself. A list of one is how CEL names a value.
func fieldsKept(level int) string {
	if level == crdDepth {
		return "true"
	}
	fields := func(of string) string {
		return fmt.Sprintf("%[1]s%[2]d.?items.orValue(%[1]s%[2]d).?properties.orValue({})", of, level)
	}
	return fmt.Sprintf("[%[2]s].all(p%[1]d, [%[3]s].all(q%[1]d, p%[1]d.all(k%[1]d, k%[1]d in q%[1]d && [p%[1]d[k%[1]d]].all(o%[4]d, [q%[1]d[k%[1]d]].all(v%[4]d, %[5]s)))))",
		level, fields("o"), fields("v"), level+1, fieldsKept(level+1))
}

// tellWebhook is a row for what needs more than one object to be judged.
func tellWebhook(name, path, resource string) Route {
	return Route{
		Targets: ours(resource), Operations: operations(create, update),
		WebhookName: name + ".strata.dev", Webhook: path,
	}
}
