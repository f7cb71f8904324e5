package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/probe"
)

// world is an Observation together with the objects that it was read from. They
// are shared with the cache: whoever changes one changes a copy.
type world struct {
	rollout.Observation
	key types.NamespacedName
	// note is what this process remembers of the track.
	note *notebook
	// past: this was read past the cache.
	past scope
	// unread: reading failed half-way.
	unread bool
	track  *v1alpha1.ReleaseTrack
	// namespace has the annotation of what is open; nil when it was not found.
	namespace *metav1.PartialObjectMetadata
	releases  []v1alpha1.ImmutableRelease
	// places of the releases, in releases and in Releases, by name.
	places  map[string]int
	records []v1alpha1.ReleaseRecord
	// actions are all of the track, also those that were answered.
	actions []v1alpha1.ReleaseAction
	seals   map[string]*resources.Seal
	// ownerless are the seals that are to be taken over, by release.
	ownerless map[string]*appsv1.ControllerRevision
	children  ownedChildren
	routes    []traffic.Observed
	// stale is what was seen last of the sources of what stable has frozen.
	stale staleness
	// copiesDue is when snapshots are to be looked at again; zero: none is known yet.
	copiesDue time.Time
	// policy is what those of the namespace ask for, and policyUnread why nobody knows.
	policy       policy.Effective
	policyUnread error
	// prepared is what SealRelease writes; nil unless a candidate is to be sealed.
	prepared *preparation
}

// scope is how much is read past the cache.
type scope int

const (
	nothing scope = iota
	// intent is what people ask for, what was sealed, and the newest record. Of newer ones
	// the next tells: its name is free, or somebody else was faster.
	intent
	// everything is also what runs, and the whole log.
	everything
)

// reading says how to observe.
type reading struct {
	past scope
	// appended are records that this reconcile wrote and the cache may not show yet.
	appended []v1alpha1.ReleaseRecord
	// sealed are seals that this reconcile wrote, likewise.
	sealed []*appsv1.ControllerRevision
	// onlooker: by somebody who looks on; see Look.
	onlooker bool
}

// observe reads all that a decision about the track depends on, the log first: what is
// appended follows the record that was read, and so whoever has decided meanwhile is
// noticed, however long the rest takes to be read.
func (r *TrackReconciler) observe(ctx context.Context, key types.NamespacedName, how reading) (*world, error) {
	w := &world{key: key, note: r.notes.of(key), past: how.past}
	w.Now, w.Namespace, w.TrackName, w.Actor = r.now(), key.Namespace, key.Name, r.options.Actor
	for _, read := range []func(context.Context, *world, reading) error{
		r.observeLog, r.observeTrack, r.observeAccess, r.observePolicies, r.observeReleases, r.observeTemplate, r.observeActions,
		r.observeChildren, r.observeCopies, r.observeUses, r.observePodless, r.observePreparation, r.observeRequired, r.observeRefusals, r.observeSelectors, r.observeRoutes, r.observeTurn, r.observeStale,
	} {
		if err := read(ctx, w, how); err != nil {
			return w, err
		}
	}
	w.ReadTime = r.now()
	return w, nil
}

func (r *TrackReconciler) observeTrack(ctx context.Context, w *world, how reading) error {
	track := &v1alpha1.ReleaseTrack{}
	if err := r.reader(how, intent).Get(ctx, w.key, track, client.UnsafeDisableDeepCopy); err != nil {
		return ignoreNotFound(err, "read ReleaseTrack %s", w.key)
	}
	w.track = track
	w.Track = &rollout.Track{
		UID: track.UID, Generation: track.Generation, Spec: track.Spec,
		Deleting: !track.DeletionTimestamp.IsZero(),
	}
	return nil
}

// observeLog reads the records. A cache that lacks one which this process wrote
// is passed by, also where the records that it brought itself leave a gap to it.
func (r *TrackReconciler) observeLog(ctx context.Context, w *world, how reading) error {
	records, whole, err := r.readRecords(ctx, w, how)
	if err != nil {
		return err
	}
	behind := how.past < everything && (!whole || newest(records) < w.note.head)
	if how.past == intent && !behind {
		if behind, err = r.isGone(ctx, w, records); err != nil {
			return err
		}
	}
	if behind {
		if records, _, err = r.readRecords(ctx, w, reading{past: everything, appended: how.appended}); err != nil {
			return err
		}
		w.note.head = newest(records)
	}
	w.records = records
	w.Log = r.log.Read(w.key, records)
	return nil
}

// isGone says whether the newest of the records is not there any more, or another one, or
// there is none.
func (r *TrackReconciler) isGone(ctx context.Context, w *world, records []v1alpha1.ReleaseRecord) (bool, error) {
	head, there := newest(records), &v1alpha1.ReleaseRecord{}
	for i := range records {
		if records[i].Spec.Sequence != head {
			continue
		}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(&records[i]), there); err != nil {
			return true, ignoreNotFound(err, "read the newest record of track %s", w.key)
		}
		return there.UID != records[i].UID || there.Spec.Digest != records[i].Spec.Digest, nil
	}
	return true, nil
}

// readRecords adds what was appended to what is read; whole: nothing is between the two.
func (r *TrackReconciler) readRecords(ctx context.Context, w *world, how reading) (records []v1alpha1.ReleaseRecord, whole bool, err error) {
	list := &v1alpha1.ReleaseRecordList{}
	if err := r.listByName(ctx, list, w, how, everything); err != nil {
		return nil, false, err
	}
	head := newest(list.Items)
	whole = true
	for _, record := range how.appended {
		if record.Spec.Sequence <= head {
			continue
		}
		whole = whole && record.Spec.Sequence == head+1
		head = record.Spec.Sequence
		list.Items = append(list.Items, record)
	}
	return list.Items, whole, nil
}

func newest(records []v1alpha1.ReleaseRecord) int64 {
	var sequence int64
	for i := range records {
		sequence = max(sequence, records[i].Spec.Sequence)
	}
	return sequence
}

func (r *TrackReconciler) observeReleases(ctx context.Context, w *world, how reading) error {
	list := &v1alpha1.ImmutableReleaseList{}
	if err := r.listByName(ctx, list, w, how, intent); err != nil {
		return err
	}
	w.releases, w.places = list.Items, make(map[string]int, len(list.Items))
	w.Releases = make([]rollout.Release, 0, len(list.Items))
	for i := range w.releases {
		release := &w.releases[i]
		w.places[release.Name] = i
		w.Releases = append(w.Releases, rollout.Release{
			Name: release.Name, UID: release.UID,
			CreationTime: release.CreationTimestamp.Time,
			RequestedBy:  release.Annotations[v1alpha1.AnnotationRequestedBy],
			Deleting:     !release.DeletionTimestamp.IsZero(),
			Held:         resources.HeldBy(release),
			Owner:        resources.OwnerOf(release),
			Spec:         &release.Spec,
		})
	}
	return nil
}

func (r *TrackReconciler) observeActions(ctx context.Context, w *world, how reading) error {
	list := &v1alpha1.ReleaseActionList{}
	if err := r.listByName(ctx, list, w, how, intent); err != nil {
		return err
	}
	w.actions = list.Items
	slices.SortFunc(w.actions, func(a, b v1alpha1.ReleaseAction) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	for i := range w.actions {
		action := &w.actions[i]
		if !action.DeletionTimestamp.IsZero() {
			continue
		}
		_, named := w.Log.Actions[action.Name]
		if !named {
			w.Actions = append(w.Actions, *action)
		}
		if answered := named || !action.CreationTimestamp.After(w.Log.ActionsSince); answered && resources.OwnerOf(action) == "" {
			w.Answered = append(w.Answered, rollout.AnsweredAction{Name: action.Name, CreationTime: action.CreationTimestamp.Time})
		}
	}
	return nil
}

// observeSelectors finds Services of others that would send traffic to the
// candidate's pods past the gates. It looks while the candidate has no weight.
func (r *TrackReconciler) observeSelectors(ctx context.Context, w *world, how reading) error {
	release := w.candidate()
	if release == nil || release.Sealed == nil || w.weightOf(release.Name) > 0 {
		return nil
	}
	services, err := r.servicesAround(ctx, w, how, release.Name)
	if err != nil {
		return fmt.Errorf("list Services of %s: %w", w.Namespace, err)
	}
	for i := range release.Components {
		component := &release.Components[i]
		labels, err := w.seals[release.Name].PodLabels(component.Name)
		if err != nil {
			return err
		}
		component.ForeignSelectors = resources.ForeignSelectors(services.Items, labels)
	}
	return nil
}

// servicesAround are the Services of a namespace, but for those of tracks whose selectors
// name other releases: there are as many of them as there are tracks. The cache of an
// operator has the Services of tracks, and none but these.
func (r *TrackReconciler) servicesAround(ctx context.Context, w *world, how reading, release string) (*corev1.ServiceList, error) {
	services, of := &corev1.ServiceList{}, &client.ListOptions{Namespace: w.Namespace}
	if how.onlooker {
		return services, r.live.List(ctx, services, of)
	}
	of.LabelSelector = ofNoTrack
	if err := r.live.List(ctx, services, of); err != nil {
		return nil, err
	}
	for _, selected := range []string{release, anyRelease} {
		ours := &corev1.ServiceList{}
		if err := r.List(ctx, ours, traffic.Indexed(w.Namespace, indexSelected, selected)); err != nil {
			return nil, err
		}
		services.Items = append(services.Items, ours.Items...)
	}
	return services, nil
}

// ofNoTrack selects what has no label of a track.
var ofNoTrack = func() labels.Selector {
	requirement, err := labels.NewRequirement(v1alpha1.LabelTrack, selection.DoesNotExist, nil)
	if err != nil {
		panic("the label of a track is no label: " + err.Error())
	}
	return labels.NewSelector().Add(*requirement)
}()

func (r *TrackReconciler) observeRoutes(ctx context.Context, w *world, how reading) error {
	var routes []v1alpha1.Route
	if w.track != nil && w.track.Spec.Traffic != nil {
		routes = w.track.Spec.Traffic.Routes
	}
	t := w.trafficTrack()
	t.Onlooker = how.onlooker
	observed, err := r.options.Traffic.Observe(ctx, t, routes)
	if err != nil {
		return err
	}
	w.routes = observed
	for i, route := range observed {
		if i < len(routes) {
			route.Route.Probe = r.probe(w, routes[i], route)
		}
		w.Routes = append(w.Routes, route.Route)
	}
	return nil
}

// probe asks who answers the requests of a route that has a probe, while the candidate has
// weight and the router carries what a record says was confirmed; nil where it was not
// asked, or nothing is known yet.
func (r *TrackReconciler) probe(w *world, route v1alpha1.Route, seen traffic.Observed) *rollout.Probe {
	if route.Probe == nil || r.options.Probes == nil {
		return nil
	}
	candidate := w.candidate()
	i := slices.IndexFunc(w.state().Routes, func(s v1alpha1.RouteState) bool { return s.Name == route.Name })
	if i < 0 || candidate == nil || w.weightOf(candidate.Name) == 0 {
		return nil
	}
	state := w.state().Routes[i]
	if state.VerifiedTime == nil || !seen.Route.Verified || !seen.Route.Current || seen.Route.Sequence < state.SetSequence {
		return nil
	}
	q := probe.Question{Track: w.key, Route: route, Weights: state.Weights, Sequence: state.SetSequence}
	for _, object := range []client.Object{seen.Object, seen.Beside} {
		if object != nil {
			q.Object += fmt.Sprintf("%s %d ", object.GetUID(), object.GetGeneration())
		}
	}
	for i := range w.releases {
		q.Releases = append(q.Releases, w.releases[i].Name)
	}
	return r.options.Probes.Ask(q)
}

// trafficTrack is what providers have to know.
func (w *world) trafficTrack() traffic.Track {
	t := traffic.Track{Namespace: w.Namespace, Name: w.TrackName, Port: w.port}
	if w.track != nil && w.track.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		t.Owner = w.track.UID
	}
	if candidate := w.state().Candidate; candidate != nil {
		t.Candidate = candidate.Name
	}
	return t
}

func (w *world) port(release, component, port string) (v1alpha1.ComponentPort, bool) {
	object := w.release(release)
	if object == nil {
		return v1alpha1.ComponentPort{}, false
	}
	for _, c := range object.Spec.Components {
		for _, p := range c.Ports {
			if c.Name == component && p.Name == port {
				return p, true
			}
		}
	}
	return v1alpha1.ComponentPort{}, false
}

func (w *world) state() v1alpha1.TrackState {
	if w.Log.Head == nil {
		return v1alpha1.TrackState{}
	}
	return w.Log.Head.State
}

// release is the object of a name; nil when there is none.
func (w *world) release(name string) *v1alpha1.ImmutableRelease {
	if i, ok := w.places[name]; ok {
		return &w.releases[i]
	}
	return nil
}

// facts of the release of a name; nil when there is none.
func (w *world) facts(name string) *rollout.Release {
	if i, ok := w.places[name]; ok {
		return &w.Releases[i]
	}
	return nil
}

// candidate is the release with the open attempt; nil when none is open, or its
// object is gone or replaced.
func (w *world) candidate() *rollout.Release {
	c := w.state().Candidate
	if c == nil {
		return nil
	}
	if release := w.facts(c.Name); release != nil && release.UID == c.UID {
		return release
	}
	return nil
}

func (w *world) weightOf(release string) int32 {
	var weight int32
	if c := w.state().Candidate; len(w.state().Routes) == 0 && c != nil && c.Name == release && c.ActivatedTime != nil {
		return 100
	}
	for _, route := range w.state().Routes {
		for _, share := range route.Weights {
			if share.ReleaseName == release {
				weight = max(weight, share.WeightPercent)
			}
		}
	}
	return weight
}

// reader of something that belongs to a scope.
func (r *TrackReconciler) reader(how reading, of scope) client.Reader {
	if how.past >= of {
		return r.live
	}
	return r.Client
}

// listByName lists the objects of our own kinds, of a scope, whose spec names the track.
func (r *TrackReconciler) listByName(ctx context.Context, list client.ObjectList, w *world, how reading, of scope) error {
	if err := r.reader(how, of).List(ctx, list, w.note.lists.byName); err != nil {
		return fmt.Errorf("list %T of track %s: %w", list, w.key, err)
	}
	return nil
}

// listByLabel lists the objects of a scope that carry the label of the track.
func (r *TrackReconciler) listByLabel(ctx context.Context, list client.ObjectList, w *world, how reading, of scope) error {
	which := w.note.lists.byLabel
	if how.past >= of {
		which = w.note.lists.byLabelLive
	}
	if err := r.reader(how, of).List(ctx, list, which); err != nil {
		return fmt.Errorf("list %T of track %s: %w", list, w.key, err)
	}
	return nil
}

// listOptions are those by which all that belongs to a track is listed. They are made
// once: a look at a track lists a dozen kinds.
type listOptions struct{ byName, byLabel, byLabelLive client.ListOption }

func listOptionsOf(key types.NamespacedName) listOptions {
	return listOptions{
		byName: traffic.Indexed(key.Namespace, indexTrackName, key.Name), byLabel: traffic.Indexed(key.Namespace, indexTrackLabel, key.Name),
		byLabelLive: &client.ListOptions{Namespace: key.Namespace, LabelSelector: labels.SelectorFromSet(labels.Set{v1alpha1.LabelTrack: key.Name})},
	}
}

func ignoreNotFound(err error, format string, args ...any) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
