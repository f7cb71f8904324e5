package guards

import (
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Route is a row of the table: a way to write something, who may go it, and what
// holds for everybody else.
type Route struct {
	// Name of the ValidatingAdmissionPolicy and of its binding.
	Name string
	// Ways are what people do, for the documents: "kubectl edit, kubectl set image".
	Ways string
	// Targets are the resources and subresources that are written.
	Targets    []Target
	Operations []admissionv1.OperationType
	// Only is the CEL condition under which the route is guarded; "" for always. It
	// cannot use variables.
	Only string
	// Controllers of Kubernetes for which the variable "controller" is true.
	Controllers []string
	// Labelled: only what carries these labels, or carried them before, is looked at. It is
	// decided before all else, also by an API server that has just begun and does not know
	// the kind of Each yet: until then it refuses whatever it would have to look at. Not for
	// scale and for what connects, whose objects have no labels.
	Labelled []string
	// Everywhere: also in the namespaces that are otherwise left alone.
	Everywhere bool
	// Each says of which objects of the request's namespace there is one after the
	// other in the variable "params"; the rules hold for each. Nil: of none.
	Each      *Each
	Variables []admissionv1.Variable
	// Rules are what the API server decides by itself. A route without any is only
	// told to the webhook.
	Rules []Rule
	// Webhook is the path of the webhook that is asked too; "" for none. The webhook
	// is called WebhookName.
	Webhook     string
	WebhookName string
	// Guarded: the webhook is asked in guarded namespaces alone.
	Guarded bool
	// Notes: the webhook writes down what it lets through, and nothing on a dry run.
	Notes bool
}

// Target is one resource, or subresources of one API group.
type Target struct {
	Group string
	// Version of the API; "*" for all of them.
	Version   string
	Resources []string
}

// Each selects objects that a rule looks at. A policy sees them as the API server
// last heard of them.
type Each struct {
	APIVersion, Kind string
	// Labelled: only those that carry this label; "" for all.
	Labelled string
}

// Rule is one thing that must hold. The variable "operator" is true for requests
// of the operator.
type Rule struct {
	// ID is stable, and begins every refusal: STRATA-nnn.
	ID         string
	Expression string
	// Says is what is refused, and Detail, a CEL expression, the same with names. Both
	// are sentences without their end.
	Says   string
	Detail string
	// Instead is what to do instead, in whole sentences.
	Instead string
	// Invalid is what of it the API server refuses by itself, with a 422: it validates an
	// update before it asks any policy. "" for nothing that would be valid otherwise.
	Invalid string
	// InvalidWhere is the CEL condition under which a webhook says so first, with a 403
	// (Explaining). It is asked before the API server takes out of a request what is not to
	// be written that way, and cannot use variables. "" where nothing is to be said.
	InvalidWhere string
}

const (
	create  = admissionv1.Create
	update  = admissionv1.Update
	remove  = admissionv1.Delete
	connect = admissionv1.Connect
)

func operations(list ...admissionv1.OperationType) []admissionv1.OperationType { return list }

func core(resources ...string) Target { return Target{"", "v1", resources} }

// Table is the table: a row for each guarded route.
var Table = slices.Concat(ourKinds, workloads, pods, network, config, interactive, clusterWide)

// Webhooks are the rows of which the webhook is told too.
func Webhooks() []Route {
	return slices.DeleteFunc(slices.Clone(Table), func(r Route) bool { return r.Webhook == "" })
}

// guarded are the rows that the API server decides by itself.
func guarded() []Route {
	return slices.DeleteFunc(slices.Clone(Table), func(r Route) bool { return len(r.Rules) == 0 })
}
