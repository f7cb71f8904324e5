// Package cluster is a real API server with etcd, the operator's own loop beside
// it, and the controllers that an API server alone lacks, played:
//
//	deployments.go  the Deployment and ReplicaSet controllers: pods, and the status
//	kubelet.go      what runs a pod: it becomes ready, or does not
//	endpoints.go    EndpointSlices of the Services
//	jobs.go         the Job controller: a test passes, fails or hangs
//	gateway.go      a Gateway: what it says of a route at its generation
//	garbage.go      the garbage collector: children of a release that is gone
//	behaviour.go    how they behave, as a story says
//
// What is played sees the world through the API server, and behaves well unless
// told otherwise. Nobody waits for minReadySeconds: a Deployment that becomes available
// says that it has been so for a while. Everything else is real, the operator's permissions included: it runs
// as the user, and with the ClusterRole, of config/rbac.
package cluster
