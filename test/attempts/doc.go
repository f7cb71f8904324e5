// Package attempts tries every route by which somebody with all rights could change
// a running release in place: what the table in controllers/admission/guards
// refuses, as people and their tools would try it. It needs an API server in which
// the policies are in force, and a release that runs; it asserts nothing itself.
//
//	attempt.go     one way to try, and what must come of it
//	edits.go       one change of an object, by every kind of patch; deletions, creations
//	cluster.go     our own kinds, namespaces and CRDs, the operator's identity
//	children.go    what a release owns
//	pods.go        pods, and the ways into them
//	traffic.go     Services, routes, endpoints
//	copies.go      what is made to look like a release's
//
// The same attempts run against a bare API server (test/admission), and against a
// cluster with nodes, with the operator and without it (test/e2e).
package attempts
