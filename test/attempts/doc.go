// Package attempts tries every route by which somebody with all rights could change
// a running release in place: what the table in controllers/admission/guards
// refuses, as people and their tools would try it. It needs an API server in which
// the policies are in force, and a release that runs; it asserts nothing itself.
//
//	attempt.go     one way to try, and what must come of it
//	edits.go       one change of an object, by every kind of patch
//	children.go    what a release owns
//	pods.go        its pods, and the ways into them
//	traffic.go     what leads traffic to it
//	copies.go      what pretends to be a part of it
//	cluster.go     our kinds, the namespace, the CRDs, the operator's identity
//
// The same attempts run against a bare API server (test/admission), and against a
// cluster with nodes, with the operator and without it (test/e2e).
package attempts
