// Package simulation plays the real loop in random worlds: controllers.New with its
// observe, rollout.Compute, apply and report, and the real traffic providers, against
// an API server in memory.
//
//	            seed -> dice -> choices        every choice is drawn here, and a world
//	                     |                     is made again from its choices alone
//	                     v
//	users ---> World.step, one thing that happens <--- time passes
//	  |          |            |             |
//	  |        move        catchUp       control
//	  |          v            v             v
//	  |      process one   its caches   Deployments, pods, Services,
//	  |      process two   (views)      Jobs, gateway, garbage
//	  |          |            ^             |
//	  |       request       watch           |
//	  v          v            |             v
//	 store: objects by kind, resourceVersions, history ---> rules, after every write
//
// A process is an operator: a coroutine that stops before each request, so that
// anything may happen meanwhile: another operator goes on, users act, time passes, the
// process is killed. Its caches hear of what happened late, kind by kind, one event at
// a time, or all at once after a watch that broke. Requests fail, and answers get lost
// although the write was made.
//
// Each world ends fairly: users rest, the gateway reports, one fresh operator is left,
// and nothing wakes it but watches and the time that it asked for. The world must come
// to rest, and stay so.
//
// Now and then the namespace is deleted and restored from a backup that somebody took
// (backup.go), or a release is let go with all that it owns and created again.
//
// Of two operators one may fall asleep on a write that it is about to make, while the
// other one moves the track on: a late writer.
//
// What must never break stands in rules.go (traffic, stamps, what is at rest, and that
// nothing which caches share is changed), rules_records.go (the log, gates and
// policies), rules_capacity.go (sizes, workers, what may have pods), rules_memory.go
// (marks, what is pruned and deleted), rules_restored.go (who came back, and owners) and
// rules_status.go (conditions, as kstatus reads them). The rules are stated over API objects and over what the writer had read (seen.go),
// without any of the planner's code.
//
// A violation is told as a short story: steps are left out and numbers lowered as long
// as the same rule breaks (shrink.go).
//
//	make simulate SEED=7              the world of a seed, told
//	make simulate SEED=1 WORLDS=5000  so many worlds, from that seed on
//	make simulate-nightly             a million
//
// In some worlds clocks differ, and are stepped, also in the middle of a reconcile: what the
// rules ask of time is then less by that. In some a
// policy asks for a check of images, and registries are down for a while (policies.go).
//
// Some tracks have an Ingress and its canary, which ingress-nginx takes over (edge.go)
// within the time that it is given: were it away for longer, nothing would tell. Some have
// a TraefikService (legs.go), or an Ingress with an action (alb.go), likewise: there pods get
// readiness gates as they are created, and only those that the load balancer knows by then.
//
// Not simulated: admission (users here do what guards refuse), records that are lost,
// more than one track (of a required one only the records are played), marks of CRDs,
// and what a real API server does to objects by defaulting.
package simulation
