// Package plugin is `kubectl strata`, one file a verb.
//
//	root.go      the command, its flags and its exit codes
//	session.go   who asks which cluster, and how tracks and releases are found
//	scan.go      a client without a cache that finds by index all the same
//	until.go     waiting for what a watch tells
//	output.go    tables, JSON and YAML; style.go colours and bars
//
//	status.go    a track as a tree (tree.go), once or live (live.go)
//	releases.go  history.go  wait.go
//	act.go       approve, abort, retry, rollback, skip-hold
//	audit.go     the log is verified, export.go written out, report.go put in words
//	explain.go   every gate with its answer, by the planner's own code
//	diff.go      what differs between two releases
//	lint.go      what is wrong with a file, by schema.go and the webhook's rules
//	plan.go      what would become of it: path.go by itself, foresee.go by the cluster
//	pin.go       tags to digests, in the file as it was written (manifest.go)
//	promote.go   the same release in another namespace
//
// It decides nothing that the operator decides: gates and next decisions come from
// controllers/rollout, the log from controllers/ledger, and what is wrong with a file
// from controllers/admission/validation.
package plugin
