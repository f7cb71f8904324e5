package main

// Files of the providers of Ingresses and of the Gateway API, and what the planner has for
// them.
const (
	ingressDir = "controllers/traffic/ingress"
	listing    = "controllers/rollout/listing.go"
)

var byIngress, byGateway = testsOf("./" + ingressDir), testsOf("./" + gatewayDir)

// edges are faults in what leads through an Ingress, of both dialects, and in what binds
// clients.
var edges = []mutant{
	{"canary-born-weighted", "gives a canary its share before its Service has endpoints that ingress-nginx knows", ingressDir + "/legs.go",
		"case l.canary == \"\":\n\t\tweight = 0", "case false:\n\t\tweight = 0", byIngress},
	{"primary-moved-unsettled", "leads the primary to a release that ingress-nginx may know no endpoints of yet", ingressDir + "/legs.go",
		`l.canary == to && l.settled || !l.alive`, `l.canary == to || !l.alive`, byIngress},
	{"canary-first", "leaves a canary that is older than its primary, and answers for it", ingressDir + "/legs.go",
		`case l.canary != "" && !l.fit:`, `case false:`, byIngress},
	{"primary-to-candidate", "leads a primary that was lost to the candidate", ingressDir + "/legs.go",
		"case l.primary == \"\":\n\t\treturn step{verb: setPrimary, release: baseline(want)}", "case l.primary == \"\":\n\t\treturn step{verb: setPrimary, release: want[len(want)-1].ReleaseName}", byIngress},
	{"cookie-of-a-canary", "keeps clients by their cookie on a canary that has no weight any more", ingressDir + "/nginx.go",
		`asked && weight == 0 {`, `asked && false {`, byIngress},
	{"ingress-edit-unseen", "does not see that somebody has changed the rules of an Ingress", ingressDir + "/nginx.go",
		`return equality.Semantic.DeepEqual(l.spec, live.Spec) && maps`, `return (true || equality.Semantic.DeepEqual(l.spec, live.Spec)) && maps`, byIngress},
	{"cookie-of-no-weight", "binds clients while a release is listed that has no weight", ingressDir + "/alb.go",
		`sticks = sticks && w.WeightPercent > 0`, ``, byIngress},
	{"target-missing", "takes an action for verified whose controller cannot find a Service of it", ingressDir + "/alb.go",
		`if missing {`, `if missing && false {`, byIngress},
	{"listed-at-once", "takes a release for listed as soon as that is written", ingressDir + "/alb.go",
		`read, p.now()).Add(settle)`, `read, p.now()).Add(0 * settle)`, byIngress},
	{"delay-of-others", "lets what the track asks for of target groups win over the delay that the drain honours", ingressDir + "/alb.go",
		`strings.HasPrefix(one, own) })`, `strings.HasPrefix(one, own) && false })`, byIngress},
	{"pods-before-listing", "gives a release pods before its load balancer knows it, and so without readiness gates", carryOut,
		`unlisted && live.ZeroTime != nil {`, `unlisted && false {`, planning},
	{"weight-before-listing", "gives a release weight that its load balancer does not know", carryOut,
		` || !v.raisesOntoListed(route, seen, want) {`, ` {`, planning},
	{"gate-targets-dropped", "raises weight onto pods of which no load balancer says that they are healthy", gates,
		`{"TargetsChecked", gateTargetsChecked},`, ``, planning},
	{"delay-not-drained", "lets pods go while a load balancer still gives their requests time", settings,
		`drain = max(drain, `, `drain = min(drain, `, planning},
	{"former-session", "lists a release without weight while an HTTPRoute binds clients to what is listed", listing,
		`route.GatewayAPI.StickyCookieName != ""`, `false`, planning},
	{"cookie-dropped", "gives a candidate weight where the cluster drops what is to bind its clients", gates,
		`if seen.Unkept != "" {`, `if seen.Unkept != "" && false {`, planning},
	{"cookie-dropped-unsaid", "does not say that the cluster drops what a track asks for, until there is a candidate", stalled,
		`notServed, unkept}`, `notServed}`, planning},
	{"session-of-no-weight", "binds clients while an HTTPRoute lists a release that has no weight", gatewayDir + "/sessions.go",
		`return w.WeightPercent == 0 })`, `return false })`, byGateway},
	{"preview-bound", "binds who sees a preview to the candidate", gatewayDir + "/httproute.go",
		`selects.SessionPersistence = nil`, ``, byGateway},
	{"session-believed", "writes what binds clients although the cluster has stopped to keep it, again and again", gatewayDir + "/sessions.go",
		`if kept && !afresh ||`, `if kept ||`, routing},
	{"session-unasked", "takes whatever is answered for a cluster that keeps what binds clients", gatewayDir + "/sessions.go",
		`_, kept = rule["sessionPersistence"]`, `kept = rule != nil`, routing},
	{"session-of-a-cache", "writes what binds clients again and again where a cache missed that it is there", gatewayDir + "/sessions.go",
		`if cookieOf(route, weightsOf(cached)) == "" || cached.cookie() != "" {`, `if true {`, routing},
	{"onlooker-asks", "makes a dry run for somebody who may only look", gatewayDir + "/sessions.go",
		`name == "" || t.Onlooker ||`, `name == "" ||`, routing},
	{"former-cookie", "lists a release without weight while clients are bound to what they met", listing,
		`len(positive(state.Weights)) > 1 &&`, `len(positive(state.Weights)) > 9 &&`, planning},
}
