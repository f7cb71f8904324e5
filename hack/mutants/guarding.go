package main

// Files of what was changed past the guards, of who may write what, and of who may enter.
const (
	drifts    = "controllers/rollout/drift.go"
	snapshots = "controllers/rollout/snapshots.go"
	access    = "controllers/rollout/access.go"
	comparing = "controllers/drift.go"
	copies    = "controllers/copies.go"
	entering  = "controllers/admission/access.go"
	upkeepDir = "controllers/admission/upkeep"
	noting    = "controllers/namespaces.go"
)

var (
	// These are the tests of the loop of what was changed.
	snapshotting = []finder{{"tests of the loop", "./controllers", []string{"-test.run=Snapshot|DigestKey"}}}
	repairing    = []finder{{"tests of the loop", "./controllers", []string{"-test.run=^TestDrift"}}}
	notes        = []finder{{"tests of the loop", "./controllers", []string{"-test.run=NotedOnNamespaces$"}}}
	judging      = []finder{{"tests of the loop", "./controllers", []string{"-test.run=^TestChangedJobs"}}}
)

// guarding are faults in what becomes of changes that the guards did not keep out, and of
// who is let in.
var guarding = []mutant{
	{"drift-left-at-once", "leaves what was changed once, as if it had been put right often", drifts,
		`Repairs: 1, Answer: v1alpha1.DriftRepair,`, `Repairs: 1, Answer: v1alpha1.DriftLeave,`, planning},
	{"drift-fought-for-ever", "puts right without end what somebody writes again and again", drifts,
		`case known.Repairs >= maxRepairs:`, `case false:`, planning},
	{"drift-left-for-ever", "never looks again at what it has left", drifts,
		"case since >= driftPeace:\n\t\treturn true", "case since >= driftPeace:\n\t\treturn known.Answer != v1alpha1.DriftLeave", planning},
	{"drift-gets-traffic", "raises weight onto a candidate that was changed", drifts,
		"switch d := v.candidate.drift(); {\n\tcase d == nil:", "switch d := v.candidate.drift(); {\n\tcase true:", planning},
	{"mutated-gets-traffic", "takes for sealed what was changed on its way into the cluster", drifts,
		`func(d Drift) bool { return d.Mutated }`, `func(d Drift) bool { return false }`, planning},
	{"drift-untold", "says nothing while something is left changed", drifts,
		`case known == nil || known.Answer != v1alpha1.DriftLeave:`, `case true:`, planning},
	{"pods-evicted-at-once", "takes away all pods of a component that are not as sealed", drifts,
		`case d.Kind == podKind && d.Ready && busy && v.Now.Before(known.Time.Add(replaceWithin)):`, `case false:`, planning},
	{"pods-replaced-for-ever", "replaces a pod whose successor differs too", drifts,
		`return d.Kind == podKind && d.CreationTime.After(known.Time.Time)`, `return false`, planning},
	{"pod-replaced-untold", "replaces a pod that no record names, because one told of another", drifts,
		` || !slices.Contains(known.PodNames, d.Name) && len(known.PodNames) < v1alpha1.MaxDriftedPods`, ``, planning},
	{"repair-unstamped", "repairs without a stamp, by which the next change is told from this one", comparing,
		`resources.Stamp(repaired, a.Sequence)`, ``, repairing},
	{"compared-once", "does not compare a child again that was as sealed once", comparing,
		`known[object.GetUID()].is(now) {`, `known[object.GetUID()].generation > 0 {`, repairing},
	{"job-judged-once", "takes the Job of a test for what it was, also when it was changed", "controllers/notebook.go",
		`known.version == job.ResourceVersion && known.seal == seal`, `known.seal == seal`, judging},

	{"tracks-unnoted", "does not note that a namespace has a track, so that anybody makes parts of releases there", noting,
		`tracked = string(namespace.UID)`, `tracked = ""`, notes},
	{"tracks-noted-by-name", "takes a namespace that came back from a backup for one that has its track", noting,
		`tracked = string(namespace.UID)`, `tracked = namespace.Name`, notes},
	{"tracks-noted-for-ever", "keeps a note on a namespace whose last track is gone", noting,
		`if len(tracks.Items) > 0 {`, `if len(tracks.Items) > 0 || namespace.Annotations[v1alpha1.AnnotationTracked] == string(namespace.UID) {`, notes},
	{"all-await-our-kinds", "has an API server that does not know our kinds yet refuse what is nobody's of ours", "controllers/admission/guards/render.go",
		`labelled(r.Labelled...)`, `nil`, testsOf("./controllers/admission/guards")},

	{"snapshot-changed-returns", "goes back to pods that may run other configuration than was sealed", snapshots,
		`if s.Difference != "" || !serves && !s.Known {`, `if !serves && !s.Known {`, planning},
	{"snapshot-unmade", "brings up a release whose pods cannot start", snapshots,
		`if s.Difference != "" || !serves && !s.Known {`, `if s.Difference != "" {`, planning},
	{"snapshot-made-untold", "makes a snapshot again that was left because it went too often", snapshots,
		`known.Answer == v1alpha1.DriftRepair {`, `(known.Answer == v1alpha1.DriftRepair || true) {`, planning},
	{"snapshot-made-otherwise", "makes a snapshot again from what its source is by now", copies,
		`case err != nil || !same:`, `case err != nil || !same && configMap == nil && secret == nil:`, snapshotting},
	{"snapshot-unlooked", "does not look at a candidate's snapshots before it takes traffic", copies,
		`return w.candidate() == release || live.Recall`, `return live.Recall`, snapshotting},
	{"snapshots-looked-at-always", "reads the snapshots of settled tracks at every look", copies,
		`if urgent || len(look.broken) > 0 {`, `if true {`, snapshotting},
	{"lost-key-is-drift", "takes every Secret for changed when the key of digests was made anew", copies,
		` || secret != nil && !r.hashes(w, release.Name)):`, `):`, snapshotting},
	{"mutable-snapshot-kept", "takes a snapshot for frozen that anybody can change", copies,
		`case isFrozen(configMap, secret) && (same`, `case (same`, snapshotting},
	{"secret-told", "tells the value of a Secret by which it differs", snapshotDir + "/freeze.go",
		"paths = append(paths, fmt.Sprintf(\"%s[%s]\", field, key))", "paths = append(paths, fmt.Sprintf(\"%s[%s] is %s\", field, key, value))", snapshotting},

	{"access-without-end", "leaves access open past its end", access,
		` || !v.Now.Before(access.EndTime.Time) || `, ` || `, planning},
	{"last-use-unrecorded", "closes access that admission may still let somebody use", access,
		` || slices.Contains(v.Access, AccessLine(*access)) {`, ` {`, planning},
	{"entered-pods-stay", "closes access while pods are there that were entered", access,
		`if !v.over(access) || left || `, `if !v.over(access) || left && false || `, planning},
	{"entered-pods-at-once", "takes away all pods at once that were entered", access,
		`!late && (busy[component] || `, `!late && (`, planning},
	{"groups-unasked", "lets in whose group no policy names any more", entering,
		`why := effective.MayBreakGlass(req.UserInfo.Groups)`, `why := ""`, testsOf("./controllers/admission")},
	{"ended-access-used", "lets somebody in whose access has ended", entering,
		`case !now.Before(found.end):`, `case !now.Before(found.end) && false:`, testsOf("./controllers/admission")},
	{"ended-action-used", "writes a use down for an access that was closed", entering,
		`case action.Status.Outcome != "" || !h.now().Before(action.EndTime()):`, `case false:`, testsOf("./controllers/admission")},
	{"use-after-close", "does not look again whether access is still open once it has written a use down", entering,
		`case !slices.ContainsFunc(still, func(o opening) bool { return o.track == open.track && o.line == open.line }):`, `case len(still) > 1<<20:`, testsOf("./controllers/admission")},
	{"many-debuggers-one-use", "lets several containers in by one use", entering,
		`case len(added) > 1:`, `case false:`, testsOf("./controllers/admission")},
	{"debugger-unlimited", "gives a container for debugging what policies deny releases", entering,
		`why = cmp.Or(why, effective.MayDebug(&pod.Spec, &added[i]))`, `why = cmp.Or(why, effective.MayDebug(&pod.Spec, &added[i])[:0])`, testsOf("./controllers/admission")},
	{"debug-unguarded", "lets anybody add a container for debugging", guardsDir + "/interactive.go",
		"Expression: sameMetadata + ` && (variables.opened || ` + sameSpec + `)`,", "Expression: sameMetadata,", testsOf("./" + guardsDir)},
	{"debug-unconfined", "opens the node by a container for debugging", guardsDir + "/interactive.go",
		"`c.?securityContext.?seccompProfile.?type.orValue('') != 'Unconfined' && ` +", "", testsOf("./" + guardsDir)},
	{"first-group-holds", "lets in whom the first policy names, and not all", policyDir + "/access.go",
		`for _, p := range all {`, `for _, p := range all[:1] {`, testsOf("./" + policyDir)},
	{"writers-add-up", "allows the writers of any policy, and not those of all", policyDir + "/writers.go",
		`allowed = common(allowed, WriterLines(said))`, `allowed = append(allowed, WriterLines(said)...)`, testsOf("./" + policyDir)},
	{"explanation-tells-secrets", "tells the values of a Secret that somebody tried to change", "controllers/admission/invalid.go",
		`if req.Kind.Kind != "ConfigMap" && req.Kind.Kind != "Secret" {`, `if req.Kind.Kind != "ConfigMap" {`, testsOf("./controllers/admission")},
	{"resizer-forbidden", "forbids a size to whom a policy lets write sizes", "controllers/admission/invalid.go",
		` || slices.Contains(effective.Writers(), policy.MayResize(req.UserInfo.Username)) {`, ` || slices.Contains(effective.Writers(), "") {`, testsOf("./controllers/admission")},
	{"spec-by-status-forbidden", "forbids a spec that is not written, on its way with a status", "controllers/admission/invalid.go",
		`if req.SubResource == "status" {`, `if req.SubResource == "status" && false {`, testsOf("./controllers/admission")},
	{"writers-by-first-line", "takes one line of a writer for all that it may do", policyDir + "/writers.go",
		`return slices.Compact(lines)`, `return lines[:min(1, len(lines))]`, testsOf("./" + policyDir)},

	{"binding-stays-away", "does not put back a guard that is missing", upkeepDir + "/upkeep.go",
		`difference := "it is missing"`, "if missing {\n\t\treturn 0, nil\n\t}\n\tdifference := \"it is missing\"", testsOf("./" + upkeepDir)},
	{"guard-fought-for-ever", "writes a guard without end that somebody writes again and again", upkeepDir + "/upkeep.go",
		`case known.count >= maxRepairs && since < peace:`, `case false:`, testsOf("./" + upkeepDir)},
	{"guard-made-up", "writes guards although nobody knows what was installed", upkeepDir + "/upkeep.go",
		`why = fmt.Sprintf("ConfigMap %s/%s is missing: apply config/policies again, and the guards are kept as installed", k.namespace, guards.InstallationName)`, `wanted, err = guards.Installed(nil)`, testsOf("./" + upkeepDir)},
	{"authority-lost", "takes the authority from a webhook that it puts right", upkeepDir + "/upkeep.go",
		"o.Webhooks = wanted.(*admissionv1.ValidatingWebhookConfiguration).DeepCopy().Webhooks\n\t\tfor i := range o.Webhooks {\n\t\t\to.Webhooks[i].ClientConfig.CABundle = had[o.Webhooks[i].Name]", "o.Webhooks = wanted.(*admissionv1.ValidatingWebhookConfiguration).DeepCopy().Webhooks\n\t\tfor i := range o.Webhooks {\n\t\t\to.Webhooks[i].ClientConfig.CABundle = had[\"\"]", testsOf("./" + upkeepDir)},
	{"refusal-told-for-ever", "tells at every try of a guard that it may not write", upkeepDir + "/upkeep.go",
		`if !k.found[key].tells(reasonChanged, difference) {`, `if true {`, testsOf("./" + upkeepDir)},
	{"guard-unrecorded", "puts a guard right without a record", upkeepDir + "/upkeep.go",
		"\tk.owe(found)\n", "", testsOf("./" + upkeepDir)},
	{"guard-needs-its-record", "leaves a guard as it is that keeps its own record away", upkeepDir + "/upkeep.go",
		"unrecorded := k.record(ctx)\n", "unrecorded := k.record(ctx)\n\tif unrecorded != nil {\n\t\treturn 0, unrecorded\n\t}\n", testsOf("./" + upkeepDir)},
	{"guard-recorded-twice", "records again what was recorded, its answer being lost", upkeepDir + "/log.go",
		`if !is(head, first) {`, `if true {`, testsOf("./" + upkeepDir)},
	{"guard-says-it-is-right", "says of a guard that is left changed that it is as installed", upkeepDir + "/report.go",
		`if found.differs {`, `if found.differs && found.reason != reasonLeft {`, testsOf("./" + upkeepDir)},
	{"guard-speaks-for-others", "says on every policy what one of them was changed in", upkeepDir + "/report.go",
		`if found.home != policy.Name {`, `if false {`, testsOf("./" + upkeepDir)},
	{"forged-condition-stands", "believes what somebody else wrote into the status of a policy", upkeepDir + "/report.go",
		`!known && there != nil {`, `(!known || known) && there != nil {`, testsOf("./" + upkeepDir)},
	{"settled-guards-written", "writes the conditions of the policies at every look", upkeepDir + "/report.go",
		`is != nil && equality.Semantic.DeepEqual(*is, condition) {`, `is != nil && equality.Semantic.DeepEqual(*is, condition) && false {`, testsOf("./" + upkeepDir)},
}
