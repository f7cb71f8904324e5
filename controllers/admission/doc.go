// Package admission answers the API server's questions about requests to write:
// thin adapters over the pure checks of package validation.
//
//	setup.go       the server, its certificate, its paths; roles that it needs
//	release.go     a release is good, its version is free; a changed spec is
//	               refused with the difference and the name of the next release
//	track.go       a track is good
//	template.go    what its template would publish is good, and its author's to publish
//	action.go      who asks is who is named, and may
//	record.go      records are the operator's
//	policy.go      a policy is good
//	policies.go    what the policies of its namespace make of a release
//	access.go      who enters a pod has it open, and it is written down first
//	invalid.go     what the API server is about to call invalid is forbidden
//	deployment.go  the Deployments of releases are never changed in place
//	respond.go     how a refusal reads
//
// What is refused by policies inside the API server, and what is sent here at
// all, is the table of package guards. No request is ever changed. The network is
// asked in three cases alone: whether a user may do what a ReleaseAction asks, may publish
// by a template, or may run pods as a ServiceAccount of a release, and for the content of
// a release that has the version, or the name, of a new one.
package admission
