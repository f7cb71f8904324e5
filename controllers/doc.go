// Package controllers is the loop around the decision: one reconciler, whose key
// is a track.
//
//	observe.go   every read of the API, into one plain rollout.Observation
//	children.go  ... the part of it that reads what releases own
//	prepare.go   ... the part of it that gets a release ready to be sealed
//	access.go    ... the part of it that reads what is open to people, and who entered
//	             which pods; and that opens, closes and replaces them
//	restored.go  ... the part of it that knows again what a backup brought back, and
//	             takes it over
//	template.go  ... the part of it that reads spec.releaseTemplate; and that creates its
//	             release
//	policies.go  ... the part of it that holds a release to policies
//	required.go  ... the part of it that asks the logs of required tracks
//	turn.go      ... the part of it that asks how many other rollouts are under way
//	podless.go   ... the part of it that asks why a test Job has no pod
//	stale.go     ... the part of it that asks whether frozen configuration has moved on
//	look.go      ... as much of it as somebody may read who looks on
//	             rollout.Compute decides
//	refused.go   ... the part of it that asks why a child is still missing
//	apply.go     the record that was decided, or the writes that the newest record
//	             still wants, in order, stopping at the first error
//	mark.go      ... the mark of releases that are held
//	report.go    the statuses, from observation and plan; release.go, track.go and
//	             action.go hold one small function a condition
//	events.go    Kubernetes events, a pure diff of old and new statuses
//	setup.go     watches and indexes
//
// Beside it, crds.go marks the CRDs while any release is held.
//
// A release whose track does not exist is reconciled under the track's name too,
// so that it can say so.
package controllers
