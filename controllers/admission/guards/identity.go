package guards

import (
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// Where the operator runs, and as whom.
const (
	Namespace      = "strata-system"
	ServiceAccount = "strata"
	ServiceName    = "strata-webhook"
)

// Unguarded are the namespaces that are left alone. No release is in them.
var Unguarded = []string{"kube-system", Namespace}

// bound are in the extra information of a user whose token was issued to a pod by
// the kubelet: which pod, and on which node. A token that somebody minted for the
// ServiceAccount, one from a Secret, and somebody who impersonates it by name, do not
// have them; a token is bound to a pod by its node alone (STRATA-070).
var bound = []string{
	"authentication.kubernetes.io/pod-name",
	"authentication.kubernetes.io/pod-uid",
	"authentication.kubernetes.io/node-name",
}

// Identity is who the operator is to the API server.
type Identity struct {
	// Username, for example system:serviceaccount:strata-system:strata.
	Username string
	// Bound demands a token that is bound to a pod. An operator outside the cluster
	// has none: it is named by Username alone.
	Bound bool
}

// InCluster is the identity of the operator that config/ deploys.
var InCluster = Identity{Username: "system:serviceaccount:" + Namespace + ":" + ServiceAccount, Bound: true}

// Expression is the CEL expression that is true for requests of the operator.
func (i Identity) Expression() string {
	name := fmt.Sprintf("request.userInfo.username == '%s'", i.Username)
	if !i.Bound {
		return name
	}
	return name + " && has(request.userInfo.extra) && ['" + strings.Join(bound, "', '") + "'].all(k, k in request.userInfo.extra)"
}

// Is says the same of a user.
func (i Identity) Is(user authenticationv1.UserInfo) bool {
	missing := slices.ContainsFunc(bound, func(key string) bool { return len(user.Extra[key]) == 0 })
	return i.Username != "" && user.Username == i.Username && (!missing || !i.Bound)
}

// Controllers of Kubernetes that must keep working, each under the name by which
// kube-controller-manager --use-service-account-credentials runs it. Where that is
// off, all are system:kube-controller-manager: the variable "controller" of the
// policies, and the match condition of the webhook, then name that user.
const (
	deploymentController    = "system:serviceaccount:kube-system:deployment-controller"
	replicaSetController    = "system:serviceaccount:kube-system:replicaset-controller"
	autoscaler              = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
	garbageCollector        = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespaceController     = "system:serviceaccount:kube-system:namespace-controller"
	jobController           = "system:serviceaccount:kube-system:job-controller"
	disruptionController    = "system:serviceaccount:kube-system:disruption-controller"
	serviceController       = "system:serviceaccount:kube-system:service-controller"
	endpointController      = "system:serviceaccount:kube-system:endpoint-controller"
	endpointSliceController = "system:serviceaccount:kube-system:endpointslice-controller"
	endpointSliceMirroring  = "system:serviceaccount:kube-system:endpointslicemirroring-controller"
	scheduler               = "system:kube-scheduler"
	apiServer               = "system:apiserver"
)

// podStatusWriters write conditions of pods beside the nodes: where a pod goes,
// that its node is lost, that it is being disrupted.
var podStatusWriters = []string{
	scheduler,
	apiServer,
	"system:serviceaccount:kube-system:node-controller",
	"system:serviceaccount:kube-system:pod-garbage-collector",
	"system:serviceaccount:kube-system:taint-eviction-controller",
	"system:serviceaccount:kube-system:device-taint-eviction-controller",
	disruptionController,
}

// anyOf is the CEL expression that is true for requests of the named users.
func anyOf(users []string) string {
	if len(users) == 0 {
		return "false"
	}
	return "request.userInfo.username in ['" + strings.Join(users, "', '") + "']"
}
