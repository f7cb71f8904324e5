// Package policy says what the policies of a namespace make of a release. All but
// read.go is pure.
//
//	effective.go  which policies select a namespace, and what they ask for together
//	rules.go      THE TABLE of what a pod template may be denied, and what to use instead
//	read.go       the policies and the labels of a namespace, from the API server
//	writers.go    which other writers may do what to what runs
//	access.go     who may enter pods
//	check.go      a release against them: what is denied, and what is warned of
//
// Where several policies answer a question, the most restrictive answer holds; what
// none asks for is not restricted.
package policy
