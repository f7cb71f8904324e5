package main

// Files of what came back, and of what policies ask for.
const (
	restoring     = "controllers/rollout/restore.go"
	policies      = "controllers/policies.go"
	policyDir     = "controllers/policy"
	imagesDir     = "controllers/images"
	registryDir   = "controllers/registry"
	signaturesDir = "controllers/signatures"
	guardsDir     = "controllers/admission/guards"
)

// believing are the tests of the loop of what it believes: all of them take as long as one
// rollout.
var believing = []finder{{"tests of the loop", "./controllers",
	[]string{"-test.run=^(TestPoliciesKeepOnlyFromSealing|TestImagesAreRightOrNotSealed|TestSealsWithoutAnOwnerNeedARecord|TestSealThatDiffersIsLeftAlone|TestCopiesThatCameBack|TestOwnRecordsLeaveNoGap)$"}}}

// trusting are faults in what is believed: of what came back from a backup, of policies,
// images, registries and signatures, and where nobody answers.
var trusting = []mutant{
	{"restored-by-name", "takes what came back under a name for what was recorded, whatever it is sealed as", restoring,
		` || recorded.Digest != r.Sealed.Digest:`, `:`, planning},
	{"restored-under-way", "knows a release again whose attempt is still open", restoring,
		`if c := v.state.Candidate; c != nil && c.Name == r.Name {`, `if c := v.state.Candidate; c != nil && false {`, planning},
	{"restored-unmarked", "does not stamp anew what came back, so that a late writer may still delete it", restoring,
		`live.UID, live.Sequence = r.UID, v.next()`, `live.UID = r.UID`, planning},
	{"owner-before-mark", "makes a release the owner of what serves while it may still be deleted", restoring,
		`held && r.Held < max(since, 1) {`, `held && r.Held < min(since, 0) {`, planning},
	{"pinned-under-its-name", "tries another release under the name of what serves, because it is pinned", desired,
		`v.claimant(pinned) != nil || v.isDifferent(pinned):`, `v.claimant(pinned) != nil:`, planning},
	{"retried-under-its-name", "tries another release under the name of what serves, because somebody asks", answers,
		`case v.isDifferent(r):`, `case false:`, planning},
	{"returning-pods-deleted", "deletes what came back before it is known what it is", carryOut,
		` || v.mayReturn(r) {`, ` {`, planning},
	{"seal-uncompared", "takes a seal without an owner for that of a release which would be sealed otherwise", restored,
		`path := resources.SealDifference(prepared.seal, revision); path != "" {`, `path := resources.SealDifference(prepared.seal, revision); false {`, believing},
	{"mutable-copy-restored", "takes a copy for frozen that came back as one that anybody can change", restored,
		`case !isFrozen(configMap, secret):`, `case false:`, believing},
	{"seal-unvouched", "lets a seal that nobody has recorded by the policies of its namespace", policies,
		`return !asks || w.Log.Head == nil`, `return true || !asks || w.Log.Head == nil`, believing},
	{"log-with-gap", "takes its own records that the cache does not follow yet for a broken log", observe,
		`whole = whole && record.Spec.Sequence == head+1`, ``, believing},

	{"policies-unread-pass", "seals although nobody knows what policies ask for", policies,
		`return &undecided{unsealable{"PoliciesUnread", w.policyUnread.Error()}}`, `return nil`, believing},
	{"policy-denied-sealed", "seals what the policies of its namespace deny", policies,
		`denied, _ := w.policy.Check(&release.Spec); len(denied) > 0 {`, `denied, _ := w.policy.Check(&release.Spec); false {`, believing},
	{"unchecked-sealed", "seals images that policies ask a check of, and that it cannot make", policies,
		`return &unsealable{"ImagesNotChecked", "policies ask for a check of images, and this operator does not make it"}`, `return nil`, believing},
	{"pending-passes", "seals before the registries have answered", policies,
		`return &undecided{unsealable{"CheckingImages", "the registries are asked about the images of " + release.Name}}`, `return nil`, believing},
	{"unknown-passes", "seals although a registry is down", policies,
		`return &undecided{unsealable{answer.Reason, answer.Message}}`, `return nil`, believing},
	{"labels-unread-pass", "takes a namespace whose labels cannot be read for one that no policy selects", policyDir + "/read.go",
		`return Effective{}, fmt.Errorf("read the labels of namespace %s: %w", name, err)`, `return Effective{}, nil`, testsOf("./" + policyDir)},
	{"first-policy-holds", "lets the first policy answer, and not the strictest", policyDir + "/effective.go",
		`strictness[mode] > strictness[strictest]`, `strictest == ""`, testsOf("./" + policyDir)},
	{"registries-add-up", "allows the registries of any policy, and not those of all", policyDir + "/effective.go",
		`allowed = both(allowed, said)`, `allowed = append(allowed, said...)`, testsOf("./" + policyDir)},
	{"half-a-segment", "takes a registry for one that is allowed whose name begins likewise", policyDir + "/effective.go",
		`return found && (rest == "" || rest[0] == '/')`, `return found && len(rest) >= 0`, testsOf("./" + policyDir)},

	{"outage-passes-images", "takes images for right of which nothing was learnt", imagesDir + "/check.go",
		`answer.Outcome = Unknown`, `answer.Outcome = Passed`, testsOf("./" + imagesDir)},
	{"one-policy-is-enough", "asks for the signatures of the first policy alone", imagesDir + "/check.go",
		`for _, demand := range c.demands {`, `for _, demand := range c.demands[:min(1, len(c.demands))] {`, testsOf("./" + imagesDir)},
	{"unknown-hides-refused", "waits for a registry although another image is refused already", imagesDir + "/check.go",
		`if errors.As(err, &told) && !told.Unknown {`, `if errors.As(err, &told) && false {`, testsOf("./" + imagesDir)},
	{"any-attestation", "takes whatever was attested about an image for its signature", signaturesDir + "/verify.go",
		`case result.Statement.GetPredicateType() != signType:`, `case false:`, testsOf("./" + signaturesDir)},
	{"signature-of-another", "takes the signature of another image for that of this one", signaturesDir + "/verify.go",
		`if signed.Critical.Image.Digest != image.DigestStr() {`, `if false {`, testsOf("./" + signaturesDir)},
	{"authority-everywhere", "lets an authority sign images that are not its own", signaturesDir + "/authority.go",
		`return len(a.images) == 0 || `, `return true || `, testsOf("./" + signaturesDir)},
	{"outage-is-unsigned", "refuses an image as unsigned because its registry is down", signaturesDir + "/verify.go",
		`case beside.unknown != nil:`, `case false:`, testsOf("./" + signaturesDir)},
	{"any-address", "asks any address that the name of a registry leads to", registryDir + "/access.go",
		`if what == "" || listed(`, `if true || listed(`, testsOf("./" + registryDir)},
	{"plain-http", "asks registries without TLS that no policy lists for it", registryDir + "/access.go",
		`if scheme == "http" && !listed(`, `if false && !listed(`, testsOf("./" + registryDir)},
	{"failure-is-refusal", "refuses an image because its registry fails", registryDir + "/errors.go",
		`return unknown(ReasonFailing, "%s: the registry answers %s", what, text)`, `return refused(ReasonFailing, "%s: the registry answers %s", what, text)`, testsOf("./" + registryDir)},

	{"guards-open", "lets by what a guard cannot judge", guardsDir + "/render.go",
		"fail := admissionv1.Fail\n\tpolicy := ", "fail := admissionv1.Ignore\n\tpolicy := ", testsOf("./" + guardsDir)},
	{"webhooks-open", "admits releases while the operator does not answer", guardsDir + "/render.go",
		`fail, effects, timeout := admissionv1.Fail,`, `fail, effects, timeout := admissionv1.Ignore,`, testsOf("./" + guardsDir)},
}
