// Package guards is the table of what must not change, and who may try. Policies
// that the API server decides by itself, the configuration of the webhook and
// docs/guards.md are made from it:
//
//	route.go        what a row of the table says
//	identity.go     who the operator is, and which controllers must keep working
//	ourkinds.go     THE TABLE, in parts: releases, tracks, records, actions, CRDs
//	workloads.go    Deployments, ReplicaSets, tests, sizes, and copies of them
//	pods.go         pods, and what makes them
//	network.go      Services, routes, endpoints
//	config.go       copies of configuration, seals
//	interactive.go  the ways into a container, and the one place for an exception
//	cluster.go      guarded namespaces, and the operator's identity
//	expressions.go  what rows have in common
//	webhooks.go     what the webhook is told to explain
//	render.go       rows -> ValidatingAdmissionPolicies, bindings and webhooks
//	document.go     rows -> docs/guards.md
//	manifests.go    all of it as files
//
// The policies come first: they hold while the operator is down, and cost
// microseconds. They see one object, and those of its namespace that Route.Each
// names. The webhook answers for what needs more than that, and says more.
//
// A new kind of change gets a row, with a rule that has an ID of its own, and a way
// to try it in test/attempts.
//
// After a change: go generate ./controllers/admission/...
package guards

//go:generate go run ../../../hack/guards -root ../../..
