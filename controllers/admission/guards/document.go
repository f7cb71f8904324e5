package guards

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// DocumentFile lists the rules by their IDs, from the top of the repository.
const DocumentFile = "docs/guards.md"

// Document is the table in words, for somebody who was refused.
func Document() []byte {
	var doc bytes.Buffer
	doc.WriteString(documentBegin)
	type line struct{ id, text, invalid string }
	var lines []line
	for _, route := range guarded() {
		for _, rule := range route.Rules {
			lines = append(lines, line{rule.ID, fmt.Sprintf("| %s | %s | %s | %s. | %s | %s |\n", rule.ID, route.Ways, route.requests(rule),
				strings.ToUpper(rule.Says[:1])+rule.Says[1:], rule.Instead, route.exempt(rule)), rule.Invalid})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.id, b.id) })
	for _, l := range lines {
		doc.WriteString(l.text)
	}
	doc.WriteString(documentInvalid)
	for _, l := range lines {
		if l.invalid != "" {
			fmt.Fprintf(&doc, "| %s | %s |\n", l.id, l.invalid)
		}
	}
	doc.WriteString("\n## Told to the webhook too\n\n| webhook | requests |\n|---|---|\n")
	for _, route := range Webhooks() {
		fmt.Fprintf(&doc, "| %s | %s |\n", route.WebhookName, route.requests(Rule{}))
	}
	doc.WriteString(documentEnd)
	return doc.Bytes()
}

const documentBegin = `# What the guards refuse

Every refusal is a 403, begins with the ID of its rule, names the release and the route, and
says what to do instead; while the operator is away, some changes are [invalid](#what-is-a-422)
before that. The policies are decided inside the API server and
hold while the operator is down; cluster administrators are not exempt. Exempt are the
operator itself, known by a token that is bound to its pod, and the controllers of
Kubernetes that are named here: of what stands in a spec they write nothing but sizes. Made from the table in ` + "`controllers/admission/guards`" + `
by ` + "`go generate ./controllers/admission/...`" + `.

What belongs to a release is known by its owner, pods and ReplicaSets by the label
` + "`strata.dev/release`" + `. What a release left behind (` + "`kubectl delete --cascade=orphan`" + `) is
its user's own again. Deleting and evicting pods, and reading their logs, stay allowed.

| rule | route | requests | what is refused | what to do instead | exempt |
|---|---|---|---|---|---|
`

const documentInvalid = `
## What is a 422

With the operator running, all that is refused by this table is a 403. The API server
validates what an update would store before it asks any policy or validating webhook, and
refuses some of it there, as invalid, with a 422 that knows of no release; mutating webhooks
come before it, and so one explains these changes: with the rule, the object, the route, what
to do instead, and the difference (of configuration, where it is, and no value). It is called
for what is refused in any case, changes nothing, is not called for the operator and the
controllers of Kubernetes that are exempt, and may be away. While it is away, the API server
answers by itself, to whoever asks; it is refused all the same:

| rule | what is a 422 while the operator is away |
|---|---|
`

const documentEnd = `
The webhook says what was changed, and judges what takes a look at other objects. It is
called for nothing that is deleted, and for no controller of Kubernetes.

Where the schema of one of our own kinds has the rule too, its 422 says all but the difference.
What is no object of its kind, whoever it belongs to (` + "`replicas: -1`" + `), is a mistake before it is
a change: the API server says so, by a 422, at any time.

` + "`kubectl apply --force`" + ` deletes and creates anew what it is told is invalid, and not what is
forbidden. A release that is held is not deleted by it either (STRATA-030), nor are the Deployments,
ReplicaSets and copies of configuration of a release (STRATA-028, STRATA-029), also while the
operator is away.

## While an API server begins again

An API server that begins again often does not know the kinds of CRDs for up to 30 s, and refuses
until then what it would have to look up there: "failed to find resource referenced by
paramKind". Of Strata that is STRATA-036, STRATA-037 and STRATA-053: a change of a route of a track, by the
operator too, which asks again, and of a namespace that is guarded. All else is judged as ever, and what is not Strata's
is written. Where there are several API servers, the others answer as ever.

So STRATA-040 and STRATA-041 do not look tracks up: the operator notes on a Namespace that has a track its
UID (` + "`strata.dev/tracked`" + `), and takes that away with the last track. Until it has noted the
first one, as while it is away, they are not in force there.

## Namespaces that are guarded

` + "`kubectl label namespace shop strata.dev/guarded=true`" + ` closes a namespace to exec, attach, cp,
port-forward and proxies (STRATA-050, STRATA-051, STRATA-043). The label cannot be taken
away while a release serves or stands by there. With the value ` + "`policy`" + ` it is the operator's, for
as long as a ReleasePolicy denies interactive access. [break-glass.md](break-glass.md) says how
somebody enters the pods of a release for a while: it is let through by the policies, and then
the webhook decides, so that nothing is open while the operator is down.

## Who the operator is

The name of its ServiceAccount is not enough: its token must have been issued to a pod, by
the node that the pod runs on. So nobody becomes the operator who impersonates it by name
(as the stock role edit may, in a namespace), who mints a token for it (STRATA-070), makes a
token Secret (STRATA-071), runs a pod as it (STRATA-072) or enters its pod (STRATA-073).
Who may change the Deployment of the operator can replace the operator; who may
impersonate users together with their extra information (` + "`userextras`" + `, which no stock
role but cluster-admin may) can claim to be anybody, and who may write admission policies
can take them away. Grant these three to nobody who must not.

Controllers of Kubernetes and nodes are known by their names alone. Who may impersonate
one, or mint tokens for the ServiceAccounts of ` + "`kube-system`" + `, can do what is open to it: no
spec changes by it, but statuses, deletions, and pods that say they are of a release do; and
who may impersonate the group ` + "`system:nodes`" + ` can have a token of the operator's pod. That is
cluster-admin, and whoever may impersonate there: the stock role edit, bound in
` + "`kube-system`" + `, is enough for the first.

An operator that runs outside of the cluster is named by ` + "`config/overlays/out-of-cluster`" + `;
a kube-controller-manager whose controllers share one user, by
` + "`config/overlays/shared-controllers`" + `; a backup tool that may bring back what carries our
labels, by ` + "`config/overlays/backup-tool`" + `. They are kustomizations to start from; each says in
the ConfigMap ` + "`strata-guards`" + ` what it changes, and so the operator keeps it ([drift.md](drift.md)).

## To give the same manifest again

Applying the manifest of a release again, or replacing the release by it, changes
nothing, also while the release is held: a MutatingAdmissionPolicy keeps who published
it, and its mark. Where a cluster has no MutatingAdmissionPolicies, a replacement of a
release that is held is refused by STRATA-003; apply it instead.
`

// requests are those that a rule is about: the operations, and of what.
func (r *Route) requests(rule Rule) string {
	var every, named, of []string
	for _, operation := range r.Operations {
		every = append(every, string(operation))
		if strings.Contains(rule.Expression, "request.operation != '"+string(operation)+"'") {
			named = append(named, string(operation))
		}
	}
	if len(named) > 0 {
		every = named
	}
	for _, target := range r.Targets {
		of = append(of, target.Resources...)
	}
	return strings.Join(every, ", ") + " " + strings.Join(of, ", ")
}

// exempt are the users to whom a rule does not apply.
func (r *Route) exempt(rule Rule) string {
	var users []string
	if strings.Contains(rule.Expression, "variables.operator") {
		users = append(users, "the operator")
	}
	if strings.Contains(rule.Expression, "variables.controller") {
		for _, user := range r.Controllers {
			users = append(users, user[strings.LastIndexByte(user, ':')+1:])
		}
	}
	if strings.Contains(rule.Expression, "'system:nodes'") {
		users = append(users, "nodes")
	}
	if strings.Contains(rule.Expression, "variables.opened") {
		users = append(users, "whom a BreakGlass has opened the release to")
	}
	if strings.Contains(rule.Expression, "variables.writers") {
		users = append(users, "named writers")
	}
	if len(users) == 0 {
		return "nobody"
	}
	return strings.Join(users, ", ")
}
