package guards

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

// ofOperator is true in the operator's namespace.
const ofOperator = `request.namespace == '` + Namespace + `'`

// labelsByOperator says that no label of a namespace changes but its guard, and that one
// only as a policy has it put there or taken away.
const labelsByOperator = `(variables.labels.map(k, k) + variables.oldLabels.map(k, k)).all(k, variables.labels[?k] == variables.oldLabels[?k] || ` +
	`(k == '` + v1alpha1.LabelGuarded + `' && [variables.labels[?k], variables.oldLabels[?k]].all(v, v.orValue('` + v1alpha1.GuardedByPolicy + `') == '` + v1alpha1.GuardedByPolicy + `')))`

const otherwiseInstead = `To act in the operator's place is not possible. Ask it: create a ReleaseAction.`

// clusterWide are the mark of guarded namespaces, and the operator's identity.
var clusterWide = []Route{
	{
		Name: "strata-guarded-namespaces", Ways: "kubectl label namespace: the mark that guards it taken away",
		Targets:    []Target{core("namespaces", "namespaces/status", "namespaces/finalize")},
		Operations: operations(update),
		Only: `has(oldObject.metadata.labels) && '` + v1alpha1.LabelGuarded + `' in oldObject.metadata.labels && ` +
			`!(has(object.metadata.labels) && '` + v1alpha1.LabelGuarded + `' in object.metadata.labels)`,
		Labelled:   []string{v1alpha1.LabelGuarded},
		Everywhere: true,
		Each:       &Each{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ImmutableRelease", Labelled: v1alpha1.LabelHeld},
		Rules: []Rule{{
			ID:         "STRATA-053",
			Expression: `variables.operator`,
			Says:       "a namespace stays guarded while releases serve in it",
			Detail:     `'namespace ' + oldObject.metadata.name + ' stays guarded while release ' + params.metadata.name + ' serves or stands by in it'`,
			Instead:    "Delete the tracks first, whose applications serve on. To delete the namespace stays possible.",
		}},
	},
	{
		// A namespace may be created with what was noted on it, as a backup does: nothing is
		// released there yet, and the operator writes what is so at once.
		Name: "strata-namespace-notes", Ways: "kubectl annotate namespace: what the operator notes there forged, or taken away",
		Targets:    []Target{core("namespaces", "namespaces/status", "namespaces/finalize")},
		Operations: operations(update),
		Everywhere: true,
		Variables:  variables(annotationsOf, oldAnnotation, labelsOf, oldLabels),
		Rules: []Rule{
			{
				ID:         "STRATA-054",
				Expression: `variables.operator || (` + reservedKept("annotations", "oldAnnotations", "") + `)`,
				Says:       "annotations of a namespace that begin with " + v1alpha1.ReservedPrefix + " are the operator's: admission goes by them",
				Detail:     `'namespace ' + oldObject.metadata.name + ': annotations that begin with ` + v1alpha1.ReservedPrefix + ` are the operator\'s, and admission goes by them'`,
				Instead:    "Say in a ReleasePolicy who else may write in a namespace.",
			},
			{
				ID: "STRATA-055",
				// What it may do is to say what it knows, and not to open a namespace.
				Expression: `!variables.operator || ` + all(sameSpec, labelsByOperator, sameTies,
					`(variables.annotations.map(k, k) + variables.oldAnnotations.map(k, k)).all(k, k.startsWith('`+v1alpha1.ReservedPrefix+`') || variables.annotations[?k] == variables.oldAnnotations[?k])`),
				Says:    "the operator writes its own annotations alone of a namespace, and guards it",
				Detail:  `'namespace ' + oldObject.metadata.name + ': the operator writes its own annotations alone, and guards it'`,
				Instead: nothingInstead,
			},
			{
				ID: "STRATA-058",
				Expression: `variables.operator || variables.labels[?'` + v1alpha1.LabelGuarded + `'] == variables.oldLabels[?'` + v1alpha1.LabelGuarded + `'] || ` +
					`!('` + v1alpha1.GuardedByPolicy + `' in [variables.labels[?'` + v1alpha1.LabelGuarded + `'].orValue(''), variables.oldLabels[?'` + v1alpha1.LabelGuarded + `'].orValue('')])`,
				Says:    "a namespace is guarded by a ReleasePolicy, and the operator alone says so",
				Detail:  `'namespace ' + oldObject.metadata.name + ': ` + v1alpha1.LabelGuarded + `=` + v1alpha1.GuardedByPolicy + ` is said by the operator alone, for a ReleasePolicy'`,
				Instead: "Change spec.interactiveAccess of the policy; the value true guards a namespace whatever policies say.",
			},
		},
	},
	{
		Name: "strata-operator-tokens", Ways: "kubectl create token, for the operator's ServiceAccount",
		Targets:    []Target{core("serviceaccounts/token")},
		Operations: operations(create),
		Everywhere: true,
		Only:       ofOperator + ` && request.name == '` + ServiceAccount + `'`,
		Rules: []Rule{{
			ID:         "STRATA-070",
			Expression: `'system:nodes' in request.userInfo.groups`,
			Says:       "tokens of the operator are issued to its own pods alone, by their node",
			Instead:    otherwiseInstead,
		}},
	},
	{
		Name: "strata-operator-secrets", Ways: "a Secret of type kubernetes.io/service-account-token for the operator",
		Targets:    []Target{core("secrets")},
		Operations: operations(create, update),
		Everywhere: true,
		Only: ofOperator + ` && object.?type.orValue('') == 'kubernetes.io/service-account-token' && ` +
			`object.metadata.?annotations[?'kubernetes.io/service-account.name'].orValue('') == '` + ServiceAccount + `'`,
		Rules: []Rule{{
			ID:         "STRATA-071",
			Expression: `false`,
			Says:       "the operator has no token that outlives its pod",
			Instead:    otherwiseInstead,
		}},
	},
	{
		Name: "strata-operator-pods", Ways: "somebody's pod that runs as the operator's ServiceAccount; kubectl set image of the operator's own",
		Targets:     []Target{core("pods")},
		Operations:  operations(create, update),
		Everywhere:  true,
		Only:        ofOperator + ` && object.spec.?serviceAccountName.orValue('') == '` + ServiceAccount + `'`,
		Controllers: []string{replicaSetController},
		Rules: []Rule{{
			ID:         "STRATA-072",
			Expression: `request.operation == 'CREATE' ? variables.controller : (` + sameSpec + `)`,
			Says:       "the operator's ServiceAccount is used by the pods of its Deployment alone, as they were made",
			Instead:    otherwiseInstead,
		}},
	},
	{
		Name: "strata-operator-entered", Ways: "kubectl exec, attach, cp, debug of the operator's own pods",
		Targets:    []Target{core("pods/exec", "pods/attach", "pods/ephemeralcontainers")},
		Operations: operations(connect, update),
		Everywhere: true,
		Only:       ofOperator,
		Rules: []Rule{{
			ID:         "STRATA-073",
			Expression: `false`,
			Says:       "nobody enters the pods of the operator, where its token is",
			Detail:     `'pod ' + request.name + ': nobody enters the pods of the operator, where its token is'`,
			Instead:    "Read its logs and metrics.",
		}},
	},
}
