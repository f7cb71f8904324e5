// Package resources makes the children of a release: pure functions from what
// the author wrote to the objects that the cluster gets, and back from live
// objects to what they tell. It reads no cluster and no clock.
//
//	ImmutableRelease + snapshots --Render--> Seal --ControllerRevision--> R-seal
//	R-seal --ParseSeal--> Seal --Service, Deployment, Job--> children of release R
//
// Rendering happens once in the life of a release. The seal keeps every child as
// the JSON that was rendered then, and from then on only what may vary is filled
// in: the namespace and owner, the size, the number of the attempt, and the stamp
// of the record that justifies the write. A newer operator, or a newer Kubernetes
// library, therefore creates the same children from the same seal.
//
// The other files hold every derived name (names.go), the walk over all references
// to configuration (config.go), the comparison of a live object with a sealed one
// (match.go) and the pods' own words for what ails them (trouble.go, jobs.go).
package resources
