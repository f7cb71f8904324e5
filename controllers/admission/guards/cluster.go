package guards

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

// ofOperator is true in the operator's namespace.
const ofOperator = `request.namespace == '` + Namespace + `'`

const otherwiseInstead = `To act in the operator's place is not possible. Ask it: create a ReleaseAction.`

// clusterWide are the mark of guarded namespaces, and the operator's identity.
var clusterWide = []Route{
	{
		Name: "strata-guarded-namespaces", Ways: "kubectl label namespace: the mark that guards it taken away",
		Targets:    []Target{core("namespaces", "namespaces/status", "namespaces/finalize")},
		Operations: operations(update),
		Only: `has(oldObject.metadata.labels) && '` + v1alpha1.LabelGuarded + `' in oldObject.metadata.labels && ` +
			`!(has(object.metadata.labels) && '` + v1alpha1.LabelGuarded + `' in object.metadata.labels)`,
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
