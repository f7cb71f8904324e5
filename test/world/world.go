package world

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Start is when every world begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	// Namespace and TrackName are those of the only track of a world.
	Namespace = "shop"
	TrackName = "shop"
	// Actor is the operator's own user name.
	Actor = "system:serviceaccount:strata-system:strata"
)

// Kind of objects that a cache holds.
type Kind int

const (
	Records Kind = iota
	Releases
	Children
	Routes
	Actions
	Access
	kinds
)

// Objects are all objects of a world. The maps are copied by a cache, the values
// never changed: a write replaces the object.
type Objects struct {
	Records     []v1alpha1.ReleaseRecord
	Releases    map[string]*Release
	Seals       map[string]*Seal
	Deployments map[string]*Deployment
	Services    map[string]*Service
	Autoscalers map[string]*Autoscaler
	Disruptions map[string]*Disruption
	Jobs        map[string]*Job
	Routes      map[string]*RouteObject
	Actions     []v1alpha1.ReleaseAction
	// Opened is the annotation of the namespace, and Entered the pods that were entered
	// and are there.
	Opened  Opened
	Entered map[types.UID]*EnteredPod
}

// Opened is the annotation of the namespace that lists open access.
type Opened struct {
	Lines   []string
	Version int64
}

// EnteredPod is a pod that somebody was let into. Gone is when it is, once it is deleted.
type EnteredPod struct {
	Name, Release, Component string
	Gone                     time.Time
}

// Release is an ImmutableRelease.
type Release struct {
	Name    string
	UID     types.UID
	Version int64
	Created time.Time
	// Held is the sequence number in its mark; 0 without one.
	Held int64
	// Owner is the GitOps tool that would create it again.
	Owner string
	Spec  *v1alpha1.ImmutableReleaseSpec
}

// Seal belongs to the release object with the UID Owner.
type Seal struct {
	Owner  types.UID
	Sealed rollout.Sealed
	// Broken are its snapshots that are not what was sealed.
	Broken []rollout.Snapshot
}

// Deployment with the pods that it has.
type Deployment struct {
	Name, Release, Component string
	// Owner is the UID of the release object; "" for somebody else's.
	Owner     types.UID
	Version   int64
	Sequence  int64
	Replicas  int32
	Ready     int32
	Available bool
	// Change is when Available last changed, ReadyAt when the pods will be ready,
	// ShortSince since when any is not; zero: never.
	Change, ReadyAt, ShortSince time.Time
	// Ungated: its pods got no readiness gates as they were created.
	Ungated bool
	// Changed is in what it is not as sealed, and Pods which of its pods are not.
	Changed *rollout.Drift
	Pods    []rollout.Drift
}

// Service of a component.
type Service struct {
	Name     string
	Owner    types.UID
	Version  int64
	Sequence int64
}

// Autoscaler of a component. It keeps a Deployment that has pods within its bounds.
type Autoscaler struct {
	Name, Release, Component string
	Owner                    types.UID
	Version                  int64
	Sequence                 int64
	Min, Max                 int32
}

// Disruption is the PodDisruptionBudget of a component.
type Disruption struct {
	Name    string
	Owner   types.UID
	Version int64
}

// Job of a test.
type Job struct {
	Name, Release, Test string
	UID, Owner          types.UID
	Attempt             int32
	WeightPercent       *int32
	Created, Finished   time.Time
	Succeeded, Failed   bool
	Message             string
}

// RouteObject is what a router is told, and what it carries.
type RouteObject struct {
	Name    string
	Spec    v1alpha1.Route
	Foreign bool
	// Users: it is a user's own. Where a track has attached to it, Spec says which route.
	Users bool
	// Owned: it goes with the track.
	Owned      bool
	Version    int64
	Sequence   int64
	Weights    []v1alpha1.ReleaseWeight
	Generation int64
	WriteTime  time.Time
	// Carried are the weights on the wire, of the generation CarriedGeneration.
	Carried           []v1alpha1.ReleaseWeight
	CarriedGeneration int64
}

// Script is how the pods and tests of a release behave.
type Script struct {
	// ReadyAfter is how long pods take; negative: they never come up.
	ReadyAfter time.Duration
	// Trouble is what pods say that are not ready.
	Trouble string
	// Tests by name, or name@weight for one step; one without a script passes
	// after ten seconds.
	Tests map[string]TestScript
	// Content tells two releases of one version apart.
	Content string
	// RequestedBy is who published it.
	RequestedBy string
	// Mutated is in what a webhook changes Deployments as they are created.
	Mutated string
	// Obstacle and ForeignSelectors are facts for the planner as they are.
	Obstacle         *rollout.Obstacle
	ForeignSelectors []string
}

// TestScript is what comes of a test.
type TestScript struct {
	After time.Duration
	// Hangs: it never finishes. Fails: it finishes as failed, with Message.
	Hangs, Fails bool
	Message      string
}

// Standing of a version on another track.
type Standing struct {
	Content  string
	Promoted time.Time
	Verdict  v1alpha1.RecordEvent
}

// World is a cluster. Make one by New.
type World struct {
	Objects
	Now   time.Time
	Track rollout.Track
	// Scripts by the name of the release.
	Scripts map[string]*Script
	// TemplateScript is that of the release which spec.releaseTemplate makes.
	TemplateScript Script
	// RouterDelay is how long routers take to carry what was written; a router
	// that is down confirms and changes nothing.
	RouterDelay time.Duration
	RouterDown  bool
	// Probed changes what the requests of a probe show; nil: what routers carry.
	Probed func(*rollout.Probe)
	// Elsewhere is what became of versions on other tracks.
	Elsewhere map[v1alpha1.RequiredTrack]map[string]Standing
	// Turn is how a candidate stands among the rollouts of other tracks at a time; nil:
	// nothing limits them.
	Turn func(time.Time) rollout.Turn
	// NoGates: pods get no readiness gates of load balancers.
	NoGates bool
	// NoSessions: HTTPRoutes have no field that binds clients.
	NoSessions bool
	// TrackGone: the track was deleted.
	TrackGone bool
	// Writes counts the writes of planners.
	Writes int

	counter int64
	reader  *ledger.Reader
	// logs are the indexes of logs that were read: none is ever changed, and so each is
	// made once.
	logs map[uint64]rollout.Log
	// trafficked is, by release, the last moment at which a route object or a
	// router had weight for it.
	trafficked map[string]time.Time
	// history are all records since the log began, be they pruned.
	history []v1alpha1.ReleaseRecord
	// digests of the records as they were appended, by number, and the weights that any
	// of them set, by route.
	digests map[int64]string
	// unmarked are the releases whose mark somebody took.
	unmarked map[string]bool
	// lost are the records that somebody took, forgotten the releases that were there
	// when the log began anew.
	lost      []v1alpha1.ReleaseRecord
	forgotten map[types.UID]bool
	// asked are all actions that ever were.
	asked []v1alpha1.ReleaseAction
	// answered are the actions that any record answered, be it lost.
	answered map[string]bool
	// replaced counts the pods of a name that were deleted because they were entered, and
	// everEntered are all that were.
	replaced    map[string]int
	everEntered map[types.UID]bool
	weights     map[string]map[string]bool
}

// New makes an empty world with a track.
func New(spec v1alpha1.ReleaseTrackSpec) *World {
	return &World{
		Objects: Objects{
			Releases: map[string]*Release{}, Seals: map[string]*Seal{}, Deployments: map[string]*Deployment{},
			Services: map[string]*Service{}, Autoscalers: map[string]*Autoscaler{}, Disruptions: map[string]*Disruption{},
			Jobs: map[string]*Job{}, Routes: map[string]*RouteObject{}, Entered: map[types.UID]*EnteredPod{},
		},
		Now:         Start,
		Track:       rollout.Track{UID: "track", Spec: spec},
		Scripts:     map[string]*Script{},
		Elsewhere:   map[v1alpha1.RequiredTrack]map[string]Standing{},
		RouterDelay: time.Second,
		reader:      ledger.NewReader(),
		trafficked:  map[string]time.Time{},
		weights:     map[string]map[string]bool{},
		logs:        map[uint64]rollout.Log{},
		digests:     map[int64]string{},
		unmarked:    map[string]bool{},
		forgotten:   map[types.UID]bool{},
		answered:    map[string]bool{},
		replaced:    map[string]int{},
		everEntered: map[types.UID]bool{},
	}
}

func (w *World) next() int64 {
	w.counter++
	return w.counter
}

func (w *World) uid() types.UID { return types.UID(fmt.Sprintf("uid-%d", w.next())) }

// Publish creates a release object.
func (w *World) Publish(name string, spec v1alpha1.ImmutableReleaseSpec, script Script) {
	w.Releases[name] = &Release{Name: name, UID: w.uid(), Version: w.next(), Created: w.Now.Truncate(time.Second), Spec: &spec}
	w.Scripts[name] = &script
}

// Ask creates an action.
func (w *World) Ask(spec v1alpha1.ReleaseActionSpec) {
	spec.TrackName = TrackName
	if spec.Requester == "" {
		spec.Requester = "ann"
	}
	if spec.Reason == "" {
		spec.Reason = "because"
	}
	w.asked = append(w.asked, v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", spec.Action, len(w.asked)+1), Namespace: Namespace, CreationTimestamp: metav1.NewTime(w.Now),
		},
		Spec: spec,
	})
	w.Actions = append(slices.Clip(w.Actions), w.asked[len(w.asked)-1])
}

// Decide has another track come to a verdict on a version with this content.
func (w *World) Decide(there v1alpha1.RequiredTrack, version, content string, verdict v1alpha1.RecordEvent) {
	if w.Elsewhere[there] == nil {
		w.Elsewhere[there] = map[string]Standing{}
	}
	standing := w.Elsewhere[there][version]
	standing.Content, standing.Verdict = content, verdict
	if verdict == v1alpha1.EventPromoted {
		standing.Promoted = w.Now
	}
	w.Elsewhere[there][version] = standing
}

// Content is the content digest of a release.
func (w *World) Content(release string) string {
	return contentDigest(w.Releases[release], w.script(release))
}

// Head is the newest record's state; empty before the first.
func (w *World) Head() v1alpha1.TrackState {
	if len(w.Records) == 0 {
		return v1alpha1.TrackState{}
	}
	return w.Records[len(w.Records)-1].Spec.State
}

// logOf is the index over records as a cache holds them.
func (w *World) logOf(records []v1alpha1.ReleaseRecord) rollout.Log {
	var h maphash.Hash
	h.SetSeed(seed)
	for i := range records {
		_, _ = h.WriteString(string(records[i].UID) + "/" + records[i].ResourceVersion + " ")
	}
	key := h.Sum64()
	log, known := w.logs[key]
	if !known {
		log = w.reader.Read(types.NamespacedName{Namespace: Namespace, Name: TrackName}, records)
		w.logs[key] = log
	}
	return log
}

var seed = maphash.MakeSeed()

// EditRecord changes what a record says, as nobody can but who switches the guards
// off.
func (w *World) EditRecord(sequence int, change func(*v1alpha1.ReleaseRecordSpec)) {
	w.Records = slices.Clone(w.Records)
	change(&w.Records[sequence-1].Spec)
	w.Records[sequence-1].ResourceVersion += "0"
}

// Break makes all pods of a release unready; Heal makes them ready.
func (w *World) Break(release, trouble string) {
	w.Scripts[release].Trouble, w.Scripts[release].ReadyAfter = trouble, -1
	w.deployments(release, func(d *Deployment) {
		d.Ready, d.ReadyAt = 0, time.Time{}
		d.lacks(w.Now)
		if d.Available {
			d.Available, d.Change = false, w.Now
		}
	})
}

// Lose takes one pod of every Deployment of a release that has more, for good. The
// Deployment stays available.
func (w *World) Lose(release, trouble string) {
	w.Scripts[release].Trouble = trouble
	w.deployments(release, func(d *Deployment) {
		if d.Ready > 1 {
			d.Ready--
			d.lacks(w.Now)
		}
	})
}

func (d *Deployment) lacks(now time.Time) {
	if d.ShortSince.IsZero() {
		d.ShortSince = now
	}
}

// Heal makes all pods of a release ready, now and whenever they start.
func (w *World) Heal(release string) {
	w.Scripts[release].Trouble, w.Scripts[release].ReadyAfter = "", 5*time.Second
	w.deployments(release, func(d *Deployment) {
		if d.Ready < d.Replicas {
			d.ReadyAt = w.Now
		}
	})
}

func (w *World) deployments(release string, change func(*Deployment)) {
	for _, name := range slices.Sorted(maps.Keys(w.Deployments)) {
		if w.Deployments[name].Release == release {
			w.changeDeployment(name, change)
		}
	}
}

func (w *World) changeDeployment(name string, change func(*Deployment)) {
	changed := *w.Deployments[name]
	change(&changed)
	changed.Version = w.next()
	w.Deployments[name] = &changed
}

func (w *World) changeRoute(name string, change func(*RouteObject)) {
	changed := *w.Routes[name]
	change(&changed)
	changed.Version = w.next()
	w.Routes[name] = &changed
}

// routeObjectName is the object's name: that of a stable Service is the user's, as is that
// of a route of the user's.
func routeObjectName(route v1alpha1.Route) string {
	if route.Service != nil {
		return route.Service.Name
	}
	if api := route.GatewayAPI; api != nil && api.AttachTo != nil {
		return api.AttachTo.RouteName
	}
	return resources.RouteName(TrackName, route.Name)
}

func (w *World) ownsRoutes() bool { return w.Track.Spec.DeletionPolicy == v1alpha1.DeletionDelete }

func (w *World) specRoutes() []v1alpha1.Route {
	if w.Track.Spec.Traffic == nil {
		return nil
	}
	return w.Track.Spec.Traffic.Routes
}

func (w *World) drain() time.Duration {
	if w.Track.Spec.Traffic == nil || w.Track.Spec.Traffic.DrainSeconds == nil {
		return rollout.DefaultDrain
	}
	return time.Duration(*w.Track.Spec.Traffic.DrainSeconds) * time.Second
}

// deregistration is the longest time that a load balancer gives the requests of a target that
// goes; 0 without one.
func (w *World) deregistration() time.Duration {
	var longest time.Duration
	for _, spec := range w.specRoutes() {
		switch {
		case !byALB(spec):
		case spec.Ingress.DeregistrationDelaySeconds == nil:
			longest = max(longest, rollout.DefaultDeregistrationDelay)
		default:
			longest = max(longest, time.Duration(*spec.Ingress.DeregistrationDelaySeconds)*time.Second)
		}
	}
	return longest
}

// byALB: the load balancer of a route gives pods their readiness gates as they are created,
// and only those that it knows by then.
func byALB(spec v1alpha1.Route) bool {
	return spec.Ingress != nil && spec.Ingress.Dialect == v1alpha1.DialectALB
}

// knows says whether the load balancers of a component, by routes, know a release.
func (w *World) knows(routes []v1alpha1.Route, release, component string) bool {
	for _, spec := range routes {
		object := w.Routes[routeObjectName(spec)]
		if byALB(spec) && spec.ComponentName == component && (object == nil ||
			!slices.ContainsFunc(object.Carried, func(s v1alpha1.ReleaseWeight) bool { return s.ReleaseName == release })) {
			return false
		}
	}
	return true
}
