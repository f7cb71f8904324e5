// Package validation says what is wrong with an object of our kinds, beyond what
// its schema can say. It is pure: objects in, errors out, each with the path, the
// value, the reason and what to do. The webhook and `lint` give the same answers.
//
//	release.go      an ImmutableRelease as a whole
//	component.go    its components: ports, what a component cannot be
//	template.go     pod templates: what the API server would refuse when the
//	                Deployment is created, said before anything is created
//	job.go          tests
//	image.go        images by digest
//	track.go, action.go
//	unsupported.go  THE TABLE of fields whose behaviour is still to come
//	diff.go         what differs between two specs, in words
//	suggest.go      the name of the next release
package validation
