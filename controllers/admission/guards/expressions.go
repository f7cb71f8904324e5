package guards

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What belongs to a release is found on what is stored, never on what is asked
// for. objectSelector is of no use here: it passes over Scale and what connects.
const (
	// ownedByRelease finds the children of a release. One that has no owner any more,
	// because its release was deleted with --cascade=orphan, is somebody's own.
	ownedByRelease = `has(oldObject.metadata.ownerReferences) && oldObject.metadata.ownerReferences.exists(o, o.kind == 'ImmutableRelease' && o.apiVersion.startsWith('` + v1alpha1.ReservedPrefix + `'))`

	// labelledByRelease finds what the children have made: ReplicaSets and pods.
	labelledByRelease = `has(oldObject.metadata.labels) && '` + v1alpha1.LabelRelease + `' in oldObject.metadata.labels`

	// scaleOfRelease finds the same on a Scale, which has neither the labels nor the
	// owners of its Deployment: only the selector.
	scaleOfRelease = `has(oldObject.status) && has(oldObject.status.selector) && oldObject.status.selector.split(',').exists(s, s.startsWith('` + v1alpha1.LabelRelease + `='))`

	// routeOfTrack finds what carries traffic for a track.
	routeOfTrack = `has(oldObject.metadata.labels) && '` + v1alpha1.LabelRoute + `' in oldObject.metadata.labels && '` + v1alpha1.LabelTrack + `' in oldObject.metadata.labels`

	// held finds what the operator has marked.
	held = `has(oldObject.metadata.labels) && '` + v1alpha1.LabelHeld + `' in oldObject.metadata.labels`

	// inGuarded is true in the namespaces that are guarded against interactive access. A
	// condition (Route.Only) is not shown the namespace: it is of use in rules alone.
	inGuarded = `has(namespaceObject.metadata.labels) && '` + v1alpha1.LabelGuarded + `' in namespaceObject.metadata.labels`
)

// What stays as it is.
const (
	sameMetadata = sameLabels + ` && object.metadata.?annotations == oldObject.metadata.?annotations && ` + sameTies
	sameLabels   = `object.metadata.?labels == oldObject.metadata.?labels`
	// sameTies are the owners and finalizers: who deletes an object, and when.
	sameTies = sameOwners + ` && object.metadata.?finalizers == oldObject.metadata.?finalizers`

	sameOwners = `object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences`
	sameSpec   = `object.?spec == oldObject.?spec`
	sameStatus = `object.?status == oldObject.?status`

	// otherSelector is no mere difference of spec: the rest of it is valid, and refused by
	// policies.
	otherSelector = `object.spec.?selector != oldObject.spec.?selector`
	// sameData compares ConfigMaps, Secrets and ControllerRevisions.
	sameData = `object.?data == oldObject.?data && object.?binaryData == oldObject.?binaryData && object.?immutable == oldObject.?immutable && ` +
		`object.?type == oldObject.?type && object.?revision == oldObject.?revision`
)

// annotated is true where a named writer wrote the annotations alone that it may. It
// wants the variables of writing.
const annotated = sameLabels + ` && ` + sameTies + ` && ` +
	`(variables.annotations.map(k, k) + variables.oldAnnotations.map(k, k)).all(k, variables.annotations[?k] == variables.oldAnnotations[?k] || ('annotate ' + k + ' ' + request.userInfo.username) in variables.writers)`

// gated is true where a named writer wrote the conditions alone that it may, of those which
// the pod has as readiness gates. It wants the variable of writing.
const gated = sameMetadata + ` && ` + sameSpec + ` && ` +
	`object.?status.?conditions.orValue([]).filter(c, !` + itsGate + `) == oldObject.?status.?conditions.orValue([]).filter(c, !` + itsGate + `)`

const itsGate = `(oldObject.spec.?readinessGates.orValue([]).exists(g, g.conditionType == c.type) && ('gate ' + c.type.split('/')[0] + ' ' + request.userInfo.username) in variables.writers)`

// podStatusFields are those of the status of a pod, but for its conditions.
var podStatusFields = []string{
	"allocatedResources", "containerStatuses", "ephemeralContainerStatuses", "extendedResourceClaimStatus", "hostIP", "hostIPs",
	"initContainerStatuses", "message", "nominatedNodeName", "observedGeneration", "phase", "podIP", "podIPs", "qosClass", "reason",
	"resize", "resourceClaimStatuses", "resources", "startTime",
}

// sameFields says of fields of the status that they stay as they are.
func sameFields(names []string) string {
	var same []string
	for _, name := range names {
		same = append(same, `object.?status.?`+name+` == oldObject.?status.?`+name)
	}
	return strings.Join(same, " && ")
}

// excepted is true for requests of the operator and of the controllers of the row.
const excepted = `variables.operator || variables.controller`

// Sentences of several rules.
const (
	neverChanges = ` belongs to a release, and a release never changes`

	publishInstead = `Publish a new ImmutableRelease with the change; its track rolls it out. To go back to an earlier release, create a ReleaseAction with action Rollback.`
	sizeInstead    = `For another size now, set spec.capacity of its track; for other bounds, publish a new ImmutableRelease.`
	trackInstead   = `Change spec.traffic of the track, or publish a new ImmutableRelease.`
	retireInstead  = `It goes with its release: publish a newer one, and retention lets go of this one; a track that is deleted lets go of all.`
	nothingInstead = `There is nothing to be done instead: whoever has to write it does.`
	ownPrefix      = `Leave out labels, annotations and owners of strata.dev, and leave them as they are.`
	letGoInstead   = `It is let go once another release has its traffic and the retention of the track keeps it no longer: publish a newer one, or roll back by a ReleaseAction. To delete it sooner, lower spec.retention, take the pin off, or delete the track, whose application serves on.`
)

var (
	labelsOf      = variable("labels", `object.metadata.?labels.orValue({})`)
	annotationsOf = variable("annotations", `object.metadata.?annotations.orValue({})`)
	oldLabels     = variable("oldLabels", `oldObject == null ? {} : oldObject.metadata.?labels.orValue({})`)
	oldAnnotation = variable("oldAnnotations", `oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})`)
	releaseOf     = variable("release", `oldObject.metadata.?labels[?'`+v1alpha1.LabelRelease+`'].orValue(oldObject.metadata.?ownerReferences[?0].?name.orValue('(unknown)'))`)
	// tracked is true where there is a track. A namespace that is restored has none until
	// all else is there, and then looks closely at what it finds. This is noted by the
	// operator, since a policy for every workload must not wait for a kind of ours to be
	// known (Route.Labelled). The UID is there, but not declared.
	tracked = variable("tracked", `namespaceObject.metadata.?annotations[?'`+v1alpha1.AnnotationTracked+`'].orValue('') == dyn(namespaceObject).metadata.uid`)
	// writersOf are the lines that the operator notes on the namespace: who else may write
	// what.
	writersOf     = variable("writers", `namespaceObject.metadata.?annotations[?'`+v1alpha1.AnnotationWriters+`'].orValue('').split('\n')`)
	scaledRelease = variable("release", `oldObject.status.selector.split(',').filter(s, s.startsWith('`+v1alpha1.LabelRelease+`='))[0].substring(`+length(v1alpha1.LabelRelease+"=")+`)`)
)

// belongs is the CEL expression for the beginning of nearly every refusal:
// <what> shop-1-web belongs to release shop-1<rest>.
func belongs(what, rest string) string {
	return `'` + what + ` ' + oldObject.metadata.name + ' belongs to release ' + variables.release + '` + rest + `'`
}

// frozenRule is the rule of a kind of which nothing changes. The controllers of the row
// write metadata alone: who borrows the name of one changes nothing that runs.
func frozenRule(id, kind, same, instead string) Rule {
	return frozen(id, kind, `variables.operator || (`+same+` && (variables.controller || (`+sameMetadata+`)))`, instead)
}

// frozen is the rule of a kind of which nothing changes but what the expression lets through.
func frozen(id, kind, expression, instead string) Rule {
	return Rule{
		ID:         id,
		Expression: expression,
		Says:       "this " + kind + neverChanges,
		Detail:     belongs(kind, ", and a release never changes"),
		Instead:    instead,
	}
}

// invalid is the rule with what of it the API server refuses by itself, and where.
func (r Rule) invalid(what, where string) Rule {
	r.Invalid, r.InvalidWhere = what, where
	return r
}

// statusRule is the rule of a status that the controllers of the row write, and nobody
// else.
func statusRule(id, kind, writer string) Rule {
	return Rule{
		ID:         id,
		Expression: `variables.controller`,
		Says:       "the status of this " + kind + " is written by " + writer,
		Detail:     `'the status of ` + kind + ` ' + oldObject.metadata.name + ', of release ' + variables.release + ', is written by ` + writer + `'`,
		Instead:    nothingInstead,
	}
}

// reservedKept says that no reserved key was added, changed or removed; but adds
// what else is allowed of a key k.
func reservedKept(now, old, but string) string {
	return reservedFrom("variables."+now, "variables."+old, but) + ` && ` +
		`variables.` + old + `.all(k, !k.startsWith('` + v1alpha1.ReservedPrefix + `') || k in variables.` + now + `)`
}

// reservedFrom says that every reserved key of a map is one that it had, with the
// same value.
func reservedFrom(now, old, but string) string {
	if but != "" {
		but = " || " + but
	}
	return now + `.all(k, !k.startsWith('` + v1alpha1.ReservedPrefix + `') || (k in ` + old + ` && ` + old + `[k] == ` + now + `[k])` + but + `)`
}

// all is the CEL expression that is true where each of them is.
func all(expressions ...string) string { return "(" + strings.Join(expressions, ") && (") + ")" }

func variables(list ...admissionv1.Variable) []admissionv1.Variable { return list }

func variable(name, expression string) admissionv1.Variable {
	return admissionv1.Variable{Name: name, Expression: expression}
}
