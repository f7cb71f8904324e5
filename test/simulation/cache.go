package simulation

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/ingress"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// view is what a cache holds of one kind: the objects as they were after some change
// of the history.
type view struct {
	shelf
	at int
	// answers that were given since it last changed.
	answers []answer
}

// answer is what an index finds, and the list that was filled with it; nil before one was.
type answer struct {
	fields.Requirement
	shelf shelf
	list  client.ObjectList
}

// watch is a handler of the loop, with its predicates.
type watch struct {
	handler    handler.EventHandler
	predicates []predicate.Predicate
}

// catchUp lets the cache of a kind hear of some changes, and the loop of each.
func (p *process) catchUp(k kind, changes int) {
	v, history := &p.views[k], p.w.history[k]
	for ; changes > 0 && v.at < len(history); changes-- {
		p.hear(k, history[v.at])
		v.at++
	}
}

// relist is what follows a watch that broke: what the cache missed it never hears of
// one by one, only that the objects are what they are.
func (p *process) relist(k kind) {
	v, now := &p.views[k], p.w.shelves[k]
	was := slices.Clone(v.shelf)
	v.at = len(p.w.history[k])
	for _, before := range was {
		if now.get(before.GetName()) == nil {
			p.hear(k, change{before: before})
		}
	}
	for _, after := range now {
		if before := was.get(after.GetName()); before != after {
			p.hear(k, change{before: before, after: after})
		}
	}
}

// hear is one event of a watch. What loses its label leaves the cache.
func (p *process) hear(k kind, c change) {
	before, after := p.views[k].get(c.object().GetName()), c.after
	if after != nil && !cached(k, after) {
		after = nil
	}
	p.views[k].answers = nil
	switch {
	case after != nil:
		p.views[k].put(after)
	case before != nil:
		p.views[k].drop(before.GetName())
	}
	for _, watch := range p.watches[k] {
		watch.tell(before, after, p)
	}
}

func cached(k kind, object client.Object) bool {
	return k.ours() || object.GetLabels()[v1alpha1.LabelTrack] != ""
}

func (w watch) tell(before, after client.Object, q *process) {
	ctx := context.Background()
	switch {
	case before == nil && after != nil:
		e := event.CreateEvent{Object: after}
		if w.pass(func(p predicate.Predicate) bool { return p.Create(e) }) {
			w.handler.Create(ctx, e, queue{process: q})
		}
	case before != nil && after != nil:
		e := event.UpdateEvent{ObjectOld: before, ObjectNew: after}
		if w.pass(func(p predicate.Predicate) bool { return p.Update(e) }) {
			w.handler.Update(ctx, e, queue{process: q})
		}
	case before != nil:
		e := event.DeleteEvent{Object: before}
		if w.pass(func(p predicate.Predicate) bool { return p.Delete(e) }) {
			w.handler.Delete(ctx, e, queue{process: q})
		}
	}
}

func (w watch) pass(ask func(predicate.Predicate) bool) bool {
	return !slices.ContainsFunc(w.predicates, func(p predicate.Predicate) bool { return !ask(p) })
}

// queue is the work queue of a process, of which the world's only track is all.
type queue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	process *process
}

func (q queue) Add(request reconcile.Request) {
	if request.NamespacedName == (types.NamespacedName{Namespace: Namespace, Name: TrackName}) {
		q.process.queued = true
	}
}

// watchesOf are those that controllers.Setup would start.
func watchesOf(cached client.Reader, routes, ingressRoutes, legRoutes handler.EventHandler) (all [kinds][]watch) {
	all[tracks] = []watch{{&handler.EnqueueRequestForObject{}, []predicate.Predicate{controllers.OfInterest()}}}
	all[httpRoutes], all[ingresses], all[traefikServices] = []watch{{handler: routes}}, []watch{{handler: ingressRoutes}}, []watch{{handler: legRoutes}}
	for _, w := range controllers.Watches() {
		k := kindOf(w.Object)
		all[k] = append(all[k], watch{w.Handler, w.Predicates})
	}
	required := controllers.WatchRequired(cached)
	all[elsewhere] = []watch{{required.Handler, required.Predicates}}
	return all
}

// indexes are the fields by which the loop and the providers ask a cache.
type indexes map[kind]map[string]client.IndexerFunc

// IndexField implements client.FieldIndexer.
func (i indexes) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	k := kindOf(object)
	if i[k] == nil {
		i[k] = map[string]client.IndexerFunc{}
	}
	i[k][field] = extract
	return nil
}

// loopIndexes are those that the operator registers.
var loopIndexes = sync.OnceValue(func() indexes {
	all := indexes{}
	for _, register := range []func(context.Context, client.FieldIndexer) error{controllers.Indexes, traffic.SetupIndexes, gatewayapi.Indexes, ingress.Indexes, traefik.Router.Indexes} {
		must(register(context.Background(), all))
	}
	return all
})
