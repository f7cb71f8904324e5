// Package rollout is the decision: what a track does next. It is pure. It reads
// an Observation, plain data with the time in it, and answers with a Plan; it
// knows no client, no context and no clock.
//
//	records, releases, Deployments, Jobs, routes, actions, the time
//	                        |
//	                   Observation
//	                        |
//	                     Compute ----> Plan.Append   the next record of the log, or
//	                                   Plan.Do       what the newest record still wants done
//	                                   Plan.After    when to look again
//
// A track is a small state machine whose log is its ledger. Every decision is a
// record, appended before it is carried out; creating the record of the next
// sequence number succeeds for one writer, so a leader that reads a stale cache
// commits nothing. The newest record alone tells the present state, and is
// carried out again and again until the world shows it. Nothing is decided from
// any status of Strata's own kinds.
//
// Where to find what (docs/planner.md has every rule in a sentence, with the function
// that holds it):
//
//	compute.go   the order in which decisions are taken
//	desired.go   which release the track should serve
//	attempt.go   opening and closing attempts, releases passed over
//	gates.go     what must hold before weight rises, in words for users
//	requires.go  what must have been promoted on other tracks first
//	turn.go      how many rollouts are under way at once, and whose turn it is
//	steps.go     which weight is next, and how long the present one is held
//	tests.go     test Jobs: due, started, finished
//	failure.go   what ends an attempt as Failed, and when; what failurePolicy Hold holds
//	weights.go   shares of routes; what counts as carried by a router
//	shift.go     raising, verifying and withdrawing weight; promotion
//	people.go    Rollback, Abort, Retry, Approve, SkipHold
//	access.go    BreakGlass: interactive access for a while
//	retire.go    drain, warm releases, when pods may go
//	capacity.go  how large a component is, and how large before it takes weight
//	workers.go   whose workers run, and when they stop
//	adopt.go     what is taken over when records are lost
//	restore.go   what came back from a backup, without owners and under another UID
//	held.go      the mark of releases that nobody may delete
//	history.go   release objects and records that go
//	carryout.go  the writes that the newest record still wants, in safety order
//	stage.go     the stage, and when to look again
//	stalled.go   what time alone will not mend, and what a human can do
//	settings.go  what holds where a track says nothing
package rollout
