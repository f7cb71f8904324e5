package guards

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

// pods are written by controllers of Kubernetes and by nodes. Deleting and evicting
// them stays allowed: what replaces a pod is as it was sealed.
var pods = []Route{
	{
		Name: "strata-pods-status", Ways: "kubectl patch pod --subresource=status: a forged status, labels by the way",
		Targets:     []Target{core("pods/status")},
		Operations:  operations(update),
		Only:        labelledByRelease,
		Controllers: podStatusWriters,
		Variables:   variables(releaseOf, annotationsOf, oldAnnotation, writersOf),
		Rules: []Rule{{
			ID:         "STRATA-015",
			Expression: `variables.controller || 'system:nodes' in request.userInfo.groups || (` + all(sameStatus, sameSpec, annotated) + `) || (` + all(gated, sameFields(podStatusFields)) + `)`,
			Says:       "the status of this pod is written by its node: its release is judged by it",
			Detail:     `'the status of pod ' + oldObject.metadata.name + ' is written by its node: release ' + variables.release + ' is judged by it'`,
			Instead:    nothingInstead + ` A program that writes readiness gates is named in spec.writers of a ReleasePolicy.`,
		}},
	},
	{
		Name: "strata-pods", Ways: "kubectl edit, set image, label, annotate of a pod; tolerations, deadlines, owners, finalizers",
		Targets:     []Target{core("pods")},
		Operations:  operations(update),
		Only:        labelledByRelease,
		Controllers: []string{replicaSetController, jobController, garbageCollector},
		Variables:   variables(releaseOf, annotationsOf, oldAnnotation, writersOf),
		Rules: []Rule{frozen("STRATA-018", "pod", `variables.operator || (`+sameSpec+` && (variables.controller || (`+sameMetadata+`) || (`+annotated+`)))`,
			publishInstead+` A program that annotates pods is named in spec.writers of a ReleasePolicy.`).invalid("all of spec but images, activeDeadlineSeconds and tolerations", "!("+sameSpec+")")},
	},
	{
		Name: "strata-pods-resize", Ways: "kubectl patch pod --subresource=resize, VerticalPodAutoscaler",
		Targets:    []Target{core("pods/resize")},
		Operations: operations(update),
		Only:       labelledByRelease,
		Variables:  variables(releaseOf, writersOf),
		Rules: []Rule{{
			ID:         "STRATA-022",
			Expression: all(sameMetadata, sameSpec+` || ('resize ' + request.userInfo.username) in variables.writers`),
			Says:       "the resources of this pod belong to a release, and a release never changes",
			Detail:     `'the resources of pod ' + oldObject.metadata.name + ' belong to release ' + variables.release + ', and a release never changes'`,
			Instead:    publishInstead + ` A program that sizes pods is named in spec.writers of a ReleasePolicy.`,
			Invalid:    "a size that this pod cannot get",
			// Nothing but sizes is written that way.
			InvalidWhere: otherSizes("containers") + ` || ` + otherSizes("initContainers") + ` || object.spec.?resources != oldObject.spec.?resources`,
		}},
	},
	{
		Name: "strata-bindings", Ways: "POST of a Binding: a pod put on a node by hand, or labelled by the way",
		Targets:     []Target{core("pods/binding", "bindings")},
		Operations:  operations(create),
		Controllers: []string{scheduler},
		Variables:   variables(labelsOf, annotationsOf),
		Rules: []Rule{
			{
				ID:         "STRATA-042",
				Expression: `!variables.labels.exists(k, k.startsWith('` + v1alpha1.ReservedPrefix + `')) && !variables.annotations.exists(k, k.startsWith('` + v1alpha1.ReservedPrefix + `'))`,
				Says:       "a binding gives a pod no labels or annotations that begin with " + v1alpha1.ReservedPrefix,
				Detail:     `'pod ' + object.metadata.name + ': a binding gives a pod no labels or annotations that begin with ` + v1alpha1.ReservedPrefix + `'`,
				Instead:    ownPrefix,
			},
			{
				ID: "STRATA-043",
				// A binding does not tell whose pod it is. The API server adds the zone itself.
				Expression: `variables.controller || (!(` + inGuarded + `) && variables.annotations.size() == 0 && variables.labels.all(k, k.startsWith('topology.kubernetes.io/')))`,
				Says:       "pods of a guarded namespace are bound by the scheduler alone, and nowhere do they get labels or annotations by it",
				Detail:     `'pod ' + object.metadata.name + ': pods of a guarded namespace are bound by the scheduler alone, and nowhere do they get labels or annotations by it'`,
				Instead:    "Leave it to the scheduler; say where pods may run in the release.",
			},
		},
	},
	{
		Name: "strata-images", Ways: "a container that an injector adds to a pod, or an image that it changes",
		Targets:    []Target{core("pods")},
		Operations: operations(create),
		Only:       `has(object.metadata.labels) && '` + v1alpha1.LabelRelease + `' in object.metadata.labels`,
		Variables: variables(
			// What a release runs was sealed into its template. A seal that is older than the
			// annotation lists nothing: there an image by digest will do.
			variable("listed", `object.metadata.?annotations[?'`+v1alpha1.AnnotationImages+`'].orValue('').split(' ')`),
			writersOf,
			// lost are those that run in no container any more: an injector adds, and replaces
			// nothing.
			variable("containers", `object.spec.containers + object.spec.?initContainers.orValue([])`),
			variable("lost", `variables.listed.filter(i, i != '' && !variables.containers.exists(c, c.?image.orValue('') == i))`),
			variable("foreign", `variables.containers.filter(c, !(c.?image.orValue('').contains('@sha256:') && (variables.listed == [''] || c.image in variables.listed || ('inject ' + c.image) in variables.writers)))`),
		),
		Rules: []Rule{{
			ID:         "STRATA-044",
			Expression: `variables.foreign.size() == 0 && variables.lost.size() == 0`,
			Says:       "a pod of a release runs the images of its release alone, by digest",
			Detail:     `(variables.foreign.size() == 0 ? 'image ' + variables.lost[0] + ' of release ' + object.metadata.labels['` + v1alpha1.LabelRelease + `'] + ' was replaced on the way' : 'container ' + variables.foreign[0].name + ' with image ' + variables.foreign[0].?image.orValue('(none)') + ' is not of release ' + object.metadata.labels['` + v1alpha1.LabelRelease + `'] + ', and was added or changed on the way')`,
			Instead:    "Exclude the namespace from the injector, put the container into the release, by digest, or name its image, by digest, in spec.writers of a ReleasePolicy.",
		}},
	},
}

// otherSizes is the CEL expression that is true where a container of a list has other
// resources than it had.
func otherSizes(list string) string {
	return `object.spec.?` + list + `.orValue([]).exists(c, oldObject.spec.?` + list + `.orValue([]).exists(o, o.name == c.name && o.?resources != c.?resources))`
}
