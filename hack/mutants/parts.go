package main

// Packages that the loop is made of.
const (
	ledgerDir    = "controllers/ledger"
	snapshotDir  = "controllers/snapshot"
	resourcesDir = "controllers/resources"
	trafficDir   = "controllers/traffic"
	gatewayDir   = "controllers/traffic/gatewayapi"
	serviceDir   = "controllers/traffic/service"
	legsDir      = "controllers/traffic/legs"
)

// parts are faults in the log, in what is frozen and compared, and in what routers
// are told and say.
var parts = []mutant{
	{"lost-race-won", "takes a record that another leader wrote for its own", ledgerDir + "/store.go",
		`if apierrors.IsAlreadyExists(err) {`, `if apierrors.IsAlreadyExists(err) { return record, nil }; if false {`, testsOf("./" + ledgerDir)},
	{"newer-record-unseen", "takes a newer record for no reason to start over", ledgerDir + "/store.go",
		"case err == nil:\n\t\treturn fmt.Errorf(\"confirm the log of track %s: %w\", key, ErrLost)", "case err == nil:\n\t\treturn nil", testsOf("./" + ledgerDir)},
	{"outage-confirms", "takes an API server that does not answer for one that has no newer record", ledgerDir + "/store.go",
		`case apierrors.IsNotFound(err):`, `case true:`, testsOf("./" + ledgerDir)},
	{"chain-unlinked", "writes records that do not name the one before", ledgerDir + "/chain.go",
		`spec.PreviousDigest = head.Digest`, ``, testsOf("./" + ledgerDir)},
	{"time-runs-backwards", "lets the log run backwards when the clocks of two leaders differ", ledgerDir + "/chain.go",
		`spec.Time = head.Time`, ``, testsOf("./" + ledgerDir)},
	{"edit-unnoticed", "does not notice that a record was edited", ledgerDir + "/verify.go",
		`digest == "" || digest != spec.Digest`, `digest == ""`, testsOf("./" + ledgerDir)},
	{"gap-unnoticed", "does not notice that a record is missing", ledgerDir + "/verify.go",
		`case spec.Sequence != previous.Sequence+1:`, `case false:`, testsOf("./" + ledgerDir)},
	{"reader-trusts-memory", "does not look again at records that it has verified once", ledgerDir + "/reader.go",
		` || known.prints != r.prints(list[:known.count]) {`, ` {`, testsOf("./" + ledgerDir)},
	{"promotion-by-any-key", "believes a promotion from another cluster whoever signed it", ledgerDir + "/promotion.go",
		`case key.VerifyPromotion(*p) != nil:`, `case false:`, testsOf("./" + ledgerDir)},
	{"promotion-of-any-track", "takes a promotion on another track for one on the track that is asked for", ledgerDir + "/promotion.go",
		`case p.Namespace != required.Namespace || p.TrackName != required.TrackName:`, `case false:`, testsOf("./" + ledgerDir)},
	{"rollback-is-no-promotion", "forgets that a release that was gone back to is one that can be gone back to", ledgerDir + "/read.go",
		`v1alpha1.EventAdopted, v1alpha1.EventRolledBack:`, `v1alpha1.EventAdopted:`, testsOf("./" + ledgerDir)},

	{"verdict-pruned", "forgets by pruning how a version fared", ledgerDir + "/prune.go",
		`if spec.Event.IsVerdict() {`, `if false {`, testsOf("./" + ledgerDir)},
	{"content-pruned", "forgets by pruning what content a version has for ever", ledgerDir + "/prune.go",
		`about.ContentDigest != "" && !known {`, `false && !known {`, testsOf("./" + ledgerDir)},
	{"kept-exchanged", "does not notice that a record which was kept is another one", ledgerDir + "/verify.go",
		`if keptDigest(kept) != says.KeptDigest {`, `if false {`, testsOf("./" + ledgerDir)},
	{"restored-unchained", "accepts a restored record that the oldest does not name", ledgerDir + "/verify.go",
		` || oldest.PreviousDigest != record.Spec.Digest {`, ` {`, testsOf("./" + ledgerDir)},
	{"restored-edited", "accepts a restored record that was edited", ledgerDir + "/verify.go",
		"func Restorable(record *v1alpha1.ReleaseRecord, there []v1alpha1.ReleaseRecord) error {\n\tif err := verifyNext(nil, record); err != nil {", "func Restorable(record *v1alpha1.ReleaseRecord, there []v1alpha1.ReleaseRecord) error {\n\tif err := verifyNext(nil, record); false {", testsOf("./" + ledgerDir)},
	{"actions-after-pruning", "takes actions for new whose records are pruned", ledgerDir + "/read.go",
		`if by != nil && len(chain) > 0 && `, `if false && by != nil && `, testsOf("./" + ledgerDir)},

	{"secret-digest-unkeyed", "tells by a digest that is not keyed what a short Secret says", snapshotDir + "/freeze.go",
		"hmac.New(sha256.New, key)\n\tmac.Write(preamble(\"config\"))", "hmac.New(sha256.New, nil)\n\tmac.Write(preamble(\"config\"))", testsOf("./" + snapshotDir)},
	{"mutable-copy-taken", "takes a Secret for a snapshot that anybody can still change", snapshotDir + "/freeze.go",
		`ptr.Deref(live.Immutable, false) && copied.Type`, `copied.Type`, testsOf("./" + snapshotDir)},
	{"capacity-is-content", "gives a release another digest when it is scaled", snapshotDir + "/digest.go",
		`delete(component, "replicas")`, ``, testsOf("./" + snapshotDir)},
	{"configuration-not-in-digest", "gives two releases one digest that differ in their configuration", snapshotDir + "/digest.go",
		`"name": s.Name, "digest": s.Digest`, `"name": s.Name`, testsOf("./" + snapshotDir)},

	{"easier-test-taken", "takes a Job over that is the release's, and not as sealed", resourcesDir + "/claim.go",
		`if why := Difference(child, live, WithDefaults); why != "" {`, `if why := Difference(child, live, WithDefaults); false {`, testsOf("./" + resourcesDir)},
	{"gitops-unseen", "takes what Argo CD has created for nobody's", resourcesDir + "/owner.go",
		`{"argocd.argoproj.io/tracking-id", "", "Argo CD"},`, ``, testsOf("./" + resourcesDir)},
	{"failed-and-complete", "takes a Job for passed that says both that it failed and that it is complete", resourcesDir + "/jobs.go",
		"return false, true, c.LastTransitionTime.Time", "return jobCondition(job, batchv1.JobComplete) != nil, true, c.LastTransitionTime.Time", testsOf("./" + resourcesDir)},

	{"older-stamp-written", "writes a route for an older record than it was last written for", trafficDir + "/traffic.go",
		`if stamp > sequence {`, `if false {`, routing},
	{"unready-pod-carried", "counts a pod behind a route that nobody calls ready", trafficDir + "/read.go",
		`if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {`, `if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {`, routing},
	{"report-of-old-generation", "takes what a gateway reports on the spec before for a report on this one", gatewayDir + "/verify.go",
		`condition == nil || condition.ObservedGeneration < route.GetGeneration()`, `condition == nil`, testsOf("./" + gatewayDir)},
	{"one-parent-is-enough", "asks only the first of the parents of a route", gatewayDir + "/verify.go",
		"if d := verifyReport(route, ref, report); d != nil {\n\t\t\t\treturn d\n\t\t\t}", "return verifyReport(route, ref, report)", testsOf("./" + gatewayDir)},
	{"edited-rule-unseen", "reads the weights of the last rule of a route alone", gatewayDir + "/render.go",
		`max(weights[i].WeightPercent, percent)`, `percent`, testsOf("./" + gatewayDir)},
	{"route-unversioned", "overwrites a route that somebody has changed since it was observed", gatewayDir + "/apply.go",
		`traffic.Mark(object, t, route.Name, write.Sequence)`, "traffic.Mark(object, t, route.Name, write.Sequence)\n\tobject.SetResourceVersion(\"\")", routing},
	{"route-unstamped", "writes weights without the stamp of the record", gatewayDir + "/apply.go",
		"traffic.Mark(object, t, route.Name, write.Sequence)\n\tif err", "if err", routing},
	{"foreign-route-written", "writes a route object that is somebody else's", gatewayDir + "/apply.go",
		`if observed.Route.Presence == rollout.Foreign {`, `if false {`, routing},
	{"selector-proves-itself", "takes a moved selector for proven before the endpoints have followed", serviceDir + "/provider.go",
		`if !maps.Equal(carried, ready) {`, `if false {`, routing},
	{"foreign-service-written", "writes a Service that is somebody else's", serviceDir + "/provider.go",
		`case !traffic.Owned(live, t, route.Name):`, `case false:`, routing},
	{"service-unversioned", "overwrites a stable Service that somebody has changed since it was observed", serviceDir + "/apply.go",
		`object := live.DeepCopy()`, "object := live.DeepCopy()\n\tobject.ResourceVersion = \"\"", routing},

	{"dead-leg-stands", "leads to a release that has no endpoints, and so spoils what the others would answer", legsDir + "/legs.go",
		`if legs := spread(asked, serves); len(legs) > 0 {`, `if legs := spread(asked, func(string) bool { return true }); len(legs) > 0 {`, byLegs},
	{"dead-share-lost", "gives nobody what a release without endpoints would have", legsDir + "/legs.go",
		`standing[most].WeightPercent += lost`, ``, byLegs},
	{"nobody-serves-rewritten", "gives weight to releases without endpoints when nobody has any", legsDir + "/legs.go",
		`if partOf(asked, has) {`, `if false {`, byLegs},
	{"left-out-verified", "takes a route for verified that leaves a release out", legsDir + "/provider.go",
		`if out := leftOut(c.asked, weightsOf(c.legs)); out != "" {`, `if out := leftOut(c.asked, weightsOf(c.legs)); false {`, byLegs},
	{"legs-unread", "believes what a route object notes of its record, whatever its legs say", legsDir + "/provider.go",
		`c.sound && partOf(c.asked, weightsOf(c.legs)); !c.sound {`, `c.sound && len(c.asked) > 0; !c.sound {`, byLegs},
	{"mesh-edit-unseen", "does not see that somebody has changed a TraefikService or a VirtualService", legsDir + "/apply.go",
		` && equality.Semantic.DeepEqual(live.Object["spec"], any(wanted.spec))`, ` && (true || equality.Semantic.DeepEqual(live.Object["spec"], any(wanted.spec)))`, byLegs},
	{"mesh-unsettled", "takes what was just written to a router that confirms nothing for carried", legsDir + "/provider.go",
		`.Add(settle)`, `.Add(0 * settle)`, byLegs},
	{"istio-rule-unread", "does not see that the rule of a VirtualService leads elsewhere too", "controllers/traffic/istio/istio.go",
		` && len(rule) == 1`, ``, byLegs},
	{"traefik-elsewhere", "takes a Service of another namespace for that of a release", "controllers/traffic/traefik/traefik.go",
		`!isRelease || elsewhere || `, `!isRelease || elsewhere && false || `, byLegs},
}
