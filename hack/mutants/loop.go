package main

// Files of the loop.
const (
	apply      = "controllers/apply.go"
	book       = "controllers/fleet/book.go"
	children   = "controllers/children.go"
	controller = "controllers/track_controller.go"
	notebook   = "controllers/notebook.go"
	holdMark   = "controllers/mark.go"
	observe    = "controllers/observe.go"
	owned      = "controllers/owned.go"
	prepare    = "controllers/prepare.go"
	publish    = "controllers/publish.go"
	refused    = "controllers/refused.go"
	report     = "controllers/report.go"
	reportOn   = "controllers/action.go"
	required   = "controllers/required.go"
	restored   = "controllers/restored.go"
	turn       = "controllers/turn.go"
)

// fleet are the tests of who is under way and who waits.
var fleet = testsOf("./controllers/fleet")

// loop are faults in how the world is read, and in how decisions are carried out.
var loop = []mutant{
	{"confirm-by-cache", "decides what is to be confirmed on what a cache says alone", controller,
		`plan.Append == nil || !plan.Append.Confirm:`, `true:`, looping},
	{"namespace-terminating", "reports errors of a namespace that is being deleted, again and again", controller,
		`if apierrors.HasStatusCause(`, `if false && apierrors.HasStatusCause(`, looping},

	{"live-read-cached", "reads from the cache what is to be read live", observe,
		"if how.past >= of {\n\t\treturn r.live\n\t}", ``, looping},
	{"actions-newest-first", "answers the newest action first", observe,
		`a.CreationTimestamp.Compare(b.CreationTimestamp.Time)`, `b.CreationTimestamp.Compare(a.CreationTimestamp.Time)`, looping},
	{"selectors-unread", "does not look for Services of others that select the candidate's pods", observe,
		`resources.ForeignSelectors(services.Items, labels)`, `resources.ForeignSelectors(services.Items[:0], labels)`, looping},

	{"foreign-child-taken", "takes over a child of its name that is somebody else's", children,
		`case metav1.IsControlledBy(object, release):`, `case true:`, looping},

	{"version-with-two-contents", "seals a second content under a version", prepare,
		`ok && had != rendered.ContentDigest {`, `ok && false {`, looping},
	{"sources-cached", "freezes what a cache says of a ConfigMap", prepare,
		`secret, err = nil, r.live.Get(ctx, key, configMap)`, `secret, err = nil, r.Get(ctx, key, configMap)`, looping},

	{"unconfirmed-create", "carries out a plan without a look at whether a newer record is there", apply,
		`if err := ledger.Confirm(ctx, r.live, w.Namespace, w.TrackName, w.Log.Head); err != nil {`, `if err := error(nil); err != nil {`, looping},

	{"head-unread", "opens an attempt on a log that a cache alone still has", observe,
		`if how.past == intent && !behind {`, `if false && !behind {`, looping},

	{"given-to-nobody", "makes a release that the cache alone shows the owner of what serves", restored,
		`err != nil || there.UID != release.UID || !there.DeletionTimestamp.IsZero() || resources.HeldBy(there) < resources.HeldBy(release)`, `false`, looping},

	{"status-unversioned", "overwrites a status that was written after the world was read", publish,
		`client.MergeFromWithOptions(statusAlone(before), client.MergeFromWithOptimisticLock{})`, `client.MergeFrom(statusAlone(before))`, looping},
	{"answer-of-namesake", "answers an action with what came of an older one of its name", reportOn,
		`case record.CreationTimestamp.Before(&action.CreationTimestamp):`, `case false:`, looping},
}

// answering are faults in what is said, and in what is owned, held and required.
var answering = []mutant{
	{"failure-unsaid", "keeps to itself that a write was refused", report,
		`if f.failure != nil {`, `if false {`, looping},
	{"mark-unversioned", "marks a release that was written since it was observed", holdMark,
		"\"resourceVersion\": observed.ResourceVersion,\n", "\n", looping},
	{"broken-log-agrees", "takes a required track's log that does not verify for one that tells", required,
		`told.Unread = known.Broken`, ``, looping},
	{"place-not-kept", "lets two take the place that each saw free", turn,
		`if takes && !r.fleet.Take(w.key, w.Now) {`, `if false {`, looping},
	{"place-lost-with-answer", "takes a place for free whose record may be there", turn,
		`< http.StatusInternalServerError:`, `< http.StatusInternalServerError || true:`, looping},
	{"line-by-name", "lets whoever has waited longest wait for others", book,
		`w.since.Compare(other.since), `, ``, fleet},
	{"line-unfair", "counts only its own namespace before a track, and so gives a place twice", book,
		`before += min(max(lower, 0), there.room())`, ``, fleet},
	{"wakes-nobody", "tells nobody that a place is free", book,
		"if b.edit(key, change) {", "if b.edit(key, change) && false {", fleet},
	{"gone-track-counts", "counts the records of a track that is gone", book,
		"case !t.exists:", "case false:", fleet},
	{"deployment-before-autoscaler", "deletes the Deployment before the autoscaler that could make it larger", owned,
		`slices.Concat(autoscalers, deployments, disruptions, services)`, `slices.Concat(deployments, autoscalers, disruptions, services)`, looping},
}
