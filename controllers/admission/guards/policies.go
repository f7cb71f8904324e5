package guards

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Policy is a row of the table: one resource, and what holds for every request to
// write it.
type Policy struct {
	// Name of the ValidatingAdmissionPolicy, and of its binding.
	Name       string
	Group      string
	Version    string
	Resources  []string
	Operations []admissionv1.OperationType
	// Only is the CEL condition under which the policy applies; "" for always. It
	// cannot use variables.
	Only string
	// Controllers of Kubernetes for which the variable "controller" is true.
	Controllers []string
	// Everywhere: also in the namespaces that are otherwise left alone.
	Everywhere bool
	Variables  []admissionv1.Variable
	Rules      []Rule
}

// Rule is one thing that must hold. The variable "operator" is true for requests
// of the operator.
type Rule struct {
	// ID is stable, and begins every refusal: STRATA-nnn.
	ID         string
	Expression string
	// Message is what is said; Detail, a CEL expression, says it with names.
	Message string
	Detail  string
}

const (
	create = admissionv1.Create
	update = admissionv1.Update
	remove = admissionv1.Delete
)

// ofRelease finds what a release owns on what is stored, never on what is
// asked for. objectSelector is of no use here: it passes over subresources.
const ofRelease = `(has(oldObject.metadata.labels) && '` + v1alpha1.LabelRelease + `' in oldObject.metadata.labels) || ` +
	`(has(oldObject.metadata.ownerReferences) && oldObject.metadata.ownerReferences.exists(o, o.kind == 'ImmutableRelease' && o.apiVersion.startsWith('` + v1alpha1.ReservedPrefix + `')))`

// scaleOfRelease finds the same on a Scale, which has neither the labels nor the
// owners of its Deployment: only the selector.
const scaleOfRelease = `has(oldObject.status) && has(oldObject.status.selector) && oldObject.status.selector.contains('` + v1alpha1.LabelRelease + `=')`

// publishInstead ends every refusal of a change in place.
const publishInstead = `, and a release never changes. Publish a new ImmutableRelease with the change; its track rolls it out. To go back to an earlier release, create a ReleaseAction with action Rollback.`

// sizeInstead ends every refusal of a change of the bounds of a size.
const sizeInstead = `, and its bounds follow it. For another size now, set spec.capacity of its track; for other bounds, publish a new ImmutableRelease.`

// frozen says that neither the spec nor the metadata of an object changes.
const frozen = `object.spec == oldObject.spec && object.metadata.?labels == oldObject.metadata.?labels && object.metadata.?annotations == oldObject.metadata.?annotations && ` +
	`object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences && object.metadata.?finalizers == oldObject.metadata.?finalizers`

// letGoInstead ends every refusal to delete a release that is held.
const letGoInstead = `. It is let go once another release has its traffic and the retention of the track keeps it no longer: publish a newer one, or roll back by a ReleaseAction. To delete it sooner, lower spec.retention, take the pin off, or delete the track, whose application serves on.`

// recordIsCreated: who may bring a record back is said by the policy of records.
const recordIsCreated = `(request.operation == 'CREATE' && request.resource.resource == 'releaserecords')`

// held finds what the operator has marked, on what is stored.
const held = `has(oldObject.metadata.labels) && '` + v1alpha1.LabelHeld + `' in oldObject.metadata.labels`

var (
	labelsOf      = variable("labels", `object.metadata.?labels.orValue({})`)
	annotationsOf = variable("annotations", `object.metadata.?annotations.orValue({})`)
	oldLabels     = variable("oldLabels", `oldObject == null ? {} : oldObject.metadata.?labels.orValue({})`)
	oldAnnotation = variable("oldAnnotations", `oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})`)
	releaseOf     = variable("release", `oldObject.metadata.?labels[?'`+v1alpha1.LabelRelease+`'].orValue(oldObject.metadata.?ownerReferences[?0].?name.orValue('(unknown)'))`)
	scaledRelease = variable("release", `oldObject.status.selector.split(',').filter(s, s.startsWith('`+v1alpha1.LabelRelease+`='))[0].substring(`+length(v1alpha1.LabelRelease+"=")+`)`)
)

// Policies is the table.
var Policies = []Policy{
	{
		Name: "strata-namespaces", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"immutablereleases", "releasetracks", "releaseactions"},
		Operations: []admissionv1.OperationType{create},
		Everywhere: true,
		Rules: []Rule{{
			ID:         "STRATA-001",
			Expression: `!(object.metadata.namespace in ['kube-system', '` + Namespace + `'])`,
			Message:    "releases live in the namespace of their application: kube-system and " + Namespace + " are left alone by the guards",
		}},
	},
	{
		Name: "strata-releases", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"immutablereleases", "releaseactions"},
		Operations: []admissionv1.OperationType{update},
		Rules: []Rule{{
			ID:         "STRATA-002",
			Expression: `object.spec == oldObject.spec`,
			Message:    "spec is immutable: publish a new object instead",
			Detail:     `object.kind + ' ' + object.metadata.name + ': spec is immutable: publish a new ' + object.kind + ' instead'`,
		}},
	},
	{
		Name: "strata-reserved-metadata", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"immutablereleases", "releasetracks", "releaserecords", "releaseactions"},
		Operations: []admissionv1.OperationType{create, update},
		Variables:  []admissionv1.Variable{labelsOf, annotationsOf, oldLabels, oldAnnotation},
		Rules: []Rule{
			{
				ID:         "STRATA-003",
				Expression: `variables.operator || ` + recordIsCreated + ` || (` + reservedKept("labels", "oldLabels", "") + `)`,
				Message:    "labels that begin with " + v1alpha1.ReservedPrefix + " are the operator's: leave them out, and leave them as they are",
			},
			{
				ID: "STRATA-004",
				Expression: `variables.operator || (` + reservedKept("annotations", "oldAnnotations",
					`(k == '`+v1alpha1.AnnotationRequestedBy+`' && oldObject == null && variables.annotations[k] == request.userInfo.username)`) + `)`,
				Message: "annotations that begin with " + v1alpha1.ReservedPrefix + " are the operator's: leave them out, and leave them as they are",
			},
		},
	},
	{
		Name: "strata-held", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:   []string{"immutablereleases"},
		Operations:  []admissionv1.OperationType{update, remove},
		Only:        held,
		Controllers: []string{namespaceController, garbageCollector},
		Variables: []admissionv1.Variable{variable("how",
			`oldObject.?status.?weightPercent.orValue(0) > 0 ? 'it serves ' + string(oldObject.status.weightPercent) + ' % of the traffic' : 'it stands by for a rollback, or is pinned'`)},
		Rules: []Rule{
			{
				ID:         "STRATA-030",
				Expression: `request.operation != 'DELETE' || variables.operator || variables.controller`,
				Message:    "the release serves, stands by or is pinned" + letGoInstead,
				Detail:     `'release ' + oldObject.metadata.name + ' is held by track ' + oldObject.spec.trackName + ': ' + variables.how + '` + letGoInstead + `'`,
			},
			{
				ID:         "STRATA-031",
				Expression: `request.operation != 'UPDATE' || variables.operator || object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences`,
				Message:    "a release that is held gets no other owners: it would go with them",
				Detail:     `'release ' + oldObject.metadata.name + ' is held by track ' + oldObject.spec.trackName + ' and gets no other owners: it would go with them'`,
			},
		},
	},
	{
		Name: "strata-crds", Group: "apiextensions.k8s.io", Version: "v1",
		Resources:  []string{"customresourcedefinitions"},
		Operations: []admissionv1.OperationType{create, update, remove},
		Only:       `(oldObject == null ? object : oldObject).spec.group == '` + v1alpha1.GroupVersion.Group + `'`,
		Everywhere: true,
		Variables: []admissionv1.Variable{
			variable("labels", `object == null ? {} : object.metadata.?labels.orValue({})`), oldLabels,
		},
		Rules: []Rule{
			{
				ID:         "STRATA-032",
				Expression: `request.operation != 'DELETE' || variables.operator || !('` + v1alpha1.LabelHeld + `' in variables.oldLabels)`,
				Message: "releases are held: with this CRD all that serves would go. Delete the tracks first, " +
					"then the releases with --cascade=orphan, and applications serve on: see docs/uninstall.md",
				Detail: `'releases are held: with CRD ' + oldObject.metadata.name + ' all that serves would go. Delete the tracks first, then the releases with --cascade=orphan, and applications serve on: see docs/uninstall.md'`,
			},
			{
				ID:         "STRATA-033",
				Expression: `request.operation == 'DELETE' || variables.operator || (` + reservedKept("labels", "oldLabels", "") + `)`,
				Message:    "labels of CRDs that begin with " + v1alpha1.ReservedPrefix + " are the operator's: write CRDs by kubectl apply, which leaves them as they are",
			},
		},
	},
	{
		Name: "strata-records", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:   []string{"releaserecords"},
		Operations:  []admissionv1.OperationType{create, update, remove},
		Controllers: []string{namespaceController, garbageCollector},
		Rules: []Rule{
			{
				ID:         "STRATA-005",
				Expression: `request.operation != 'CREATE' || variables.operator || authorizer.group('` + v1alpha1.GroupVersion.Group + `').resource('releasetracks').namespace(object.metadata.namespace).name(object.spec.trackName).check('restore').allowed()`,
				Message:    "records are written by the operator alone; to ask for something, create a ReleaseAction, and to bring a lost log back, have the verb restore on its releasetrack",
			},
			{
				ID:         "STRATA-006",
				Expression: `request.operation != 'UPDATE' || object.spec == oldObject.spec`,
				Message:    "records are never changed: they are the log of their track",
			},
			{
				ID:         "STRATA-007",
				Expression: `request.operation != 'DELETE' || variables.operator || variables.controller`,
				Message:    "records are the log of their track and are removed by its retention alone",
				Detail:     `'ReleaseRecord ' + oldObject.metadata.name + ' belongs to the log of track ' + oldObject.spec.trackName + ', and is removed by the retention of that track alone'`,
			},
		},
	},
	{
		Name: "strata-actions", Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"releaseactions"},
		Operations: []admissionv1.OperationType{create},
		Variables: []admissionv1.Variable{variable("verb",
			`{'Approve': 'approve', 'Abort': 'abort', 'Retry': 'retry', 'Rollback': 'rollback', 'SkipHold': 'skip', 'BreakGlass': 'breakglass'}[?object.spec.action].orValue('unknown')`)},
		Rules: []Rule{
			{
				ID:         "STRATA-008",
				Expression: `object.spec.requester == request.userInfo.username`,
				Message:    "spec.requester must be the user who creates the action",
				Detail:     `"spec.requester is '" + object.spec.requester + "', and must be the user who creates the action: '" + request.userInfo.username + "'"`,
			},
			{
				ID:         "STRATA-009",
				Expression: `authorizer.group('` + v1alpha1.GroupVersion.Group + `').resource('releasetracks').namespace(object.metadata.namespace).name(object.spec.trackName).check(variables.verb).allowed()`,
				Message:    "the user may not do this on the track",
				Detail:     `"user '" + request.userInfo.username + "' needs the verb '" + variables.verb + "' on releasetracks." + '` + v1alpha1.GroupVersion.Group + `/' + object.spec.trackName + " in namespace '" + object.metadata.namespace + "'"`,
			},
		},
	},
	{
		Name: "strata-deployments", Group: "apps", Version: "v1",
		Resources:   []string{"deployments"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{deploymentController, garbageCollector},
		Variables:   []admissionv1.Variable{releaseOf, labelsOf, annotationsOf, oldLabels, oldAnnotation},
		Rules: []Rule{
			{
				ID:         "STRATA-010",
				Expression: `variables.operator || variables.controller || object.spec == oldObject.spec`,
				Message:    "this Deployment belongs to a release" + publishInstead,
				Detail:     `'Deployment ' + object.metadata.name + ' belongs to release ' + variables.release + '` + publishInstead + `'`,
			},
			{
				ID: "STRATA-011",
				Expression: `variables.operator || variables.controller || (variables.labels == variables.oldLabels && variables.annotations == variables.oldAnnotations && ` +
					`object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences && object.metadata.?finalizers == oldObject.metadata.?finalizers)`,
				Message: "labels, annotations, owners and finalizers of this Deployment belong to a release" + publishInstead,
				Detail:  `'labels, annotations, owners and finalizers of Deployment ' + object.metadata.name + ' belong to release ' + variables.release + '` + publishInstead + `'`,
			},
		},
	},
	{
		Name: "strata-deployments-scale", Group: "apps", Version: "v1",
		Resources:   []string{"deployments/scale"},
		Operations:  []admissionv1.OperationType{update},
		Only:        scaleOfRelease,
		Controllers: []string{autoscaler},
		Variables:   []admissionv1.Variable{scaledRelease},
		Rules: []Rule{{
			ID:         "STRATA-012",
			Expression: `variables.operator || variables.controller || object.spec == oldObject.spec`,
			Message:    "the size of this Deployment belongs to a release" + publishInstead,
			Detail:     `'the size of Deployment ' + object.metadata.name + ' belongs to release ' + variables.release + '` + publishInstead + `'`,
		}},
	},
	{
		Name: "strata-deployments-status", Group: "apps", Version: "v1",
		Resources:   []string{"deployments/status"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{deploymentController},
		Variables:   []admissionv1.Variable{releaseOf},
		Rules: []Rule{{
			ID:         "STRATA-013",
			Expression: `variables.controller`,
			Message:    "the status of this Deployment is written by the deployment controller alone: its release is judged by it",
			Detail:     `'the status of Deployment ' + object.metadata.name + ' is written by the deployment controller alone: release ' + variables.release + ' is judged by it'`,
		}},
	},
	{
		Name: "strata-tests", Group: "batch", Version: "v1",
		Resources:   []string{"jobs", "jobs/status"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{jobController, garbageCollector},
		Variables:   []admissionv1.Variable{releaseOf},
		Rules: []Rule{{
			ID:         "STRATA-014",
			Expression: `variables.operator || variables.controller`,
			Message:    "this Job is a test of a release: its result is the job controller's to write, and its spec nobody's to change",
			Detail:     `'Job ' + oldObject.metadata.name + ' is a test of release ' + variables.release + ': its result is the job controller\'s to write, and its spec nobody\'s to change. To test again, create a ReleaseAction with action Retry.'`,
		}},
	},
	{
		Name: "strata-pods-status", Group: "", Version: "v1",
		Resources:   []string{"pods/status"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: podStatusWriters,
		Variables:   []admissionv1.Variable{releaseOf},
		Rules: []Rule{{
			ID:         "STRATA-015",
			Expression: `variables.controller || 'system:nodes' in request.userInfo.groups`,
			Message:    "the status of this pod is written by its node: its release is judged by it",
			Detail:     `'the status of pod ' + oldObject.metadata.name + ' is written by its node: release ' + variables.release + ' is judged by it'`,
		}},
	},
	{
		Name: "strata-autoscalers", Group: "autoscaling", Version: "v2",
		Resources:   []string{"horizontalpodautoscalers"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{garbageCollector},
		Variables:   []admissionv1.Variable{releaseOf},
		Rules: []Rule{{
			ID:         "STRATA-020",
			Expression: `variables.operator || variables.controller || (` + frozen + `)`,
			Message:    "this HorizontalPodAutoscaler belongs to a release" + sizeInstead,
			Detail:     `'HorizontalPodAutoscaler ' + oldObject.metadata.name + ' belongs to release ' + variables.release + '` + sizeInstead + `'`,
		}},
	},
	{
		Name: "strata-disruptions", Group: "policy", Version: "v1",
		Resources:   []string{"poddisruptionbudgets"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{garbageCollector},
		Variables:   []admissionv1.Variable{releaseOf},
		Rules: []Rule{{
			ID:         "STRATA-021",
			Expression: `variables.operator || variables.controller || (` + frozen + `)`,
			Message:    "this PodDisruptionBudget belongs to a release" + publishInstead,
			Detail:     `'PodDisruptionBudget ' + oldObject.metadata.name + ' belongs to release ' + variables.release + '` + publishInstead + `'`,
		}},
	},
}

// reservedKept says that no reserved key was added, changed or removed; but adds
// what else is allowed of a key k.
func reservedKept(now, old, but string) string {
	if but != "" {
		but = " || " + but
	}
	return `variables.` + now + `.all(k, !k.startsWith('` + v1alpha1.ReservedPrefix + `') || (k in variables.` + old + ` && variables.` + old + `[k] == variables.` + now + `[k])` + but + `) && ` +
		`variables.` + old + `.all(k, !k.startsWith('` + v1alpha1.ReservedPrefix + `') || k in variables.` + now + `)`
}

func variable(name, expression string) admissionv1.Variable {
	return admissionv1.Variable{Name: name, Expression: expression}
}
