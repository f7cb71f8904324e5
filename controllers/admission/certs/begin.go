package certs

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// everyReplica is a cache that runs in every replica, leader or not.
type everyReplica struct{ cache.Cache }

// NeedLeaderElection says so to the manager.
func (everyReplica) NeedLeaderElection() bool { return false }

// begin is a source with one event, at the start: on a new cluster there is
// neither a Secret nor a configuration whose events would begin the work.
func begin(secret types.NamespacedName) func(context.Context, workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	return func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(reconcile.Request{NamespacedName: secret})
		return nil
	}
}
