// Package images checks the images of a release before it is sealed, where a policy of
// its namespace asks for that: each is there, can be run, is for one of the nodes, and
// has the signatures that are demanded.
//
//	checker.go   questions and answers: asked from the loop, which never waits
//	check.go     one check of a release: what is asked of registries, in which order
//	cluster.go   what the cluster tells: nodes, pull secrets, trusted roots
//
// A question is answered at once, by what is known: at first that the check is under
// way. A few workers go through the checks, each within a deadline; whoever asked is
// told when there is an answer. Answers are kept for a while and then asked for anew, so
// that an image that was pushed, or a registry that is up again, is noticed.
package images
