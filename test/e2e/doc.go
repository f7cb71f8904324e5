// Package e2e tells the user stories of Strata on a real cluster, with real pods, a
// real gateway and a client that never stops asking. A story asserts the state of
// the world (who answers on the wire, which pods run, what the log says, what the
// route carries), never the calls that were made; and in every story no request
// may fail, but for those that it names.
//
// The stories are behind the build tag e2e, because they need a cluster in which
// the operator runs: `make e2e` brings one up, and KUBECONFIG of another one is
// used instead where it is set. Package harness lists the variables that say what
// the cluster itself does not.
//
// Each story has a namespace, a track and a hostname of its own, so that they run
// side by side; those that must be alone (alone_test.go) come after the others, one by
// one. Labels name the scenario and the chapter:
//
//	make e2e LABELS=scenario-2
//	make e2e LABELS='going-live && !serial'
//
// Those with the label fault break what all others stand on, and are told where they are
// asked for: make e2e LABELS=fault.
package e2e
