package simulation

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

const (
	// Namespace and TrackName are those of the only track of a world.
	Namespace = "shop"
	TrackName = "shop"
	// RequiredNamespace is that of the track which a world's track may require.
	RequiredNamespace = "staging"
	// Actor is the operator's own user name.
	Actor = "system:serviceaccount:strata-system:strata"
)

// Start is when every world begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Local()

// World is a cluster with one track, its users, and one or two operators.
type World struct {
	// fought is an object that somebody writes whenever it is put right.
	fought types.UID
	store
	*dice
	indexes   indexes
	processes []*process
	// fair: nothing fails any more, and users rest.
	fair bool
	// careful worlds are held to what costs too much to be asked of all.
	careful bool

	// tasks are what the cluster's own controllers have to do.
	tasks []task
	// specs are those of releases and tracks as the API server stored them.
	specs   map[generation]any
	scripts map[string]*script
	// load is the size that the metrics of an autoscaler ask for; 0: none.
	load map[string]int32
	// routerDown: the gateway reads nothing and reports nothing.
	routerDown  bool
	routerDelay time.Duration
	// wire is what the gateway does with the requests of a route, by its object.
	wire map[string][]v1alpha1.ReleaseWeight
	// edge is ingress-nginx.
	edge edge
	// legs is Traefik.
	legs legged
	// alb is the AWS Load Balancer Controller.
	alb balancer
	// lead is how many things the cluster may do before an operator looks, of which it
	// has done ahead.
	lead, ahead int
	// skewed: clocks of operators differ from the API server's.
	skewed bool
	// policed: a policy asks for a check of images, and for approvals that are young.
	// registryDown: nobody can make that check.
	policed, registryDown bool
	// noSessions: HTTPRoutes have no field that binds clients.
	noSessions bool
	// inPlace: most is published by the template of the track.
	inPlace bool
	// shape of the releases that are published.
	shape                  shape
	published, asked, pods int

	// backup of the namespace; nil: none was taken. late is what a restore has left out
	// so far.
	backup *backup
	late   []client.Object

	memory memory
	// log verifies each record once.
	log *ledger.Reader
	// Writes counts those of the operators, the last of which was when wrote says.
	Writes int
	wrote  time.Time

	telling bool
	lines   []string
	failed  *Violation
}

// Violation is a rule that was broken.
type Violation struct {
	Rule    string
	Message string
}

func newWorld(d *dice, telling bool) *World {
	w := &World{
		dice: d, telling: telling, indexes: loopIndexes(), scripts: map[string]*script{}, load: map[string]int32{}, wire: map[string][]v1alpha1.ReleaseWeight{},
		memory: newMemory(), specs: map[generation]any{}, log: ledger.NewReader(),
	}
	w.Now, w.alive = Start, map[types.UID]bool{}
	w.changed = w.wakeControllers
	return w
}

// build makes the track and the first release, and starts the operators.
func (w *World) build() {
	w.shape = w.drawShape()
	if w.careful = w.chance(10); w.careful {
		w.copies = map[client.Object]client.Object{}
	}
	w.lead = w.draw(12)
	w.routerDelay = time.Duration(1+w.draw(3)) * time.Second
	spec := w.drawTrack()
	w.mustCreate(&v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Name: TrackName}, Spec: spec})
	w.tell("> the track: %s", trackLine(&spec))
	if w.shape.config {
		w.mustCreate(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: settings}, Data: map[string]string{"revision": "0"}})
	}
	w.skewed = w.chance(15)
	w.policed = w.chance(10)
	w.inPlace = w.chance(15)
	w.publish()
	for i := range 1 + pick(w.dice, 0, 1, 1, 1) {
		w.processes = append(w.processes, w.start([]string{"one", "two"}[i]))
	}
}

func (w *World) tell(format string, args ...any) {
	if w.telling {
		w.lines = append(w.lines, fmt.Sprintf("%9s ", w.Now.Sub(Start).Round(100*time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

func (w *World) violate(rule, format string, args ...any) {
	if w.failed == nil {
		w.failed = &Violation{Rule: rule, Message: fmt.Sprintf(format, args...)}
		w.tell("!! %s: %s", rule, w.failed.Message)
	}
}

// head is the state after the newest record; empty before the first.
func (w *World) head() v1alpha1.TrackState {
	if newest := w.newest(); newest != nil {
		return newest.State
	}
	return v1alpha1.TrackState{}
}

func (w *World) newest() *v1alpha1.ReleaseRecordSpec {
	all := w.shelves[records]
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1].(*v1alpha1.ReleaseRecord).Spec
}

// logged is what the records say together.
func (w *World) logged() rollout.Log {
	var list []v1alpha1.ReleaseRecord
	for _, record := range each[v1alpha1.ReleaseRecord](&w.store, records) {
		list = append(list, *record)
	}
	return w.log.Read(request.NamespacedName, list)
}

func (w *World) track() *v1alpha1.ReleaseTrack {
	return on[v1alpha1.ReleaseTrack](&w.store, tracks, TrackName)
}

// end stops what still runs.
func (w *World) end() {
	for _, p := range w.processes {
		p.stop()
	}
}
