package simulation

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// checkPruned: records go only where a record says so. Those that may go are no part of what
// makes the log whole, and none is ever changed: it is verified once for each such record.
func (w *World) checkPruned(write written) {
	gone := write.before.(*v1alpha1.ReleaseRecord)
	list := []v1alpha1.ReleaseRecord{*gone}
	var by *v1alpha1.ReleaseRecord
	for _, r := range each[v1alpha1.ReleaseRecord](&w.store, records) {
		list = append(list, *r)
		if r.Spec.Event == v1alpha1.EventPruned && (by == nil || r.Spec.Sequence > by.Spec.Sequence) {
			by = r
		}
	}
	if by == nil || by.Spec.Pruned.BeforeSequence <= gone.Spec.Sequence {
		w.violate("Pruned", "%s: no record says so", write)
		return
	}
	m := &w.memory
	if m.prunedBy != by.UID || !slices.Contains(m.toGo, gone.Spec.Sequence) {
		log := ledger.Read(list)
		if log.Broken != "" {
			w.violate("Pruned", "%s: %s", write, log.Broken)
		}
		m.prunedBy, m.toGo = by.UID, log.Pruned
	}
	if !slices.Contains(m.toGo, gone.Spec.Sequence) {
		w.violate("Pruned", "%s: the log is remembered by it", write)
	}
}

// checkRelease: of what users wrote the mark alone is the operator's to write; and it
// deletes what has had its verdict, and neither serves nor is about to.
func (w *World) checkRelease(p *process, write written) {
	if write.verb == "create" {
		w.checkCreated(p, write.after.(*v1alpha1.ImmutableRelease))
		return
	}
	before := write.before.(*v1alpha1.ImmutableRelease)
	if write.verb == "delete" {
		limit := p.seen.track.Spec.Retention.HistoryLimit
		switch {
		case limit == nil || len(p.seen.lists[releases]) <= int(*limit):
			w.violate("Kept", "%s: no limit asks for it", write)
		case isLive(w.head(), before) || resources.HeldBy(before) > 0 || p.seen.track.Spec.ReleaseName == before.Name:
			w.violate("Kept", "%s: it is held", write)
		case w.memory.verdicts[before.Spec.Version] == "":
			w.violate("Kept", "%s: it has had no verdict", write)
		}
		return
	}
	plain := *write.after.(*v1alpha1.ImmutableRelease)
	plain.Labels, plain.ResourceVersion = before.Labels, before.ResourceVersion
	if !reflect.DeepEqual(&plain, before) {
		w.violate("Frozen", "%s: what users wrote is not the operator's to write", write)
	}
	if mark := resources.HeldBy(write.after); mark > w.newest().Sequence || mark > 0 && mark < resources.HeldBy(before) {
		w.violate("RecordFirst", "%s: it is held by record %d, after %d", write, mark, resources.HeldBy(before))
	}
	if state := w.head(); resources.HeldBy(write.after) == 0 && w.track() != nil && state.Stable != nil && state.Stable.UID == before.UID {
		w.violate("Held", "%s: it is stable", write)
	}
}

// checkCreated: a release is created from a template, of the content that was recorded, by
// who saw that it is to be, and no other one of its version.
func (w *World) checkCreated(p *process, release *v1alpha1.ImmutableRelease) {
	asked := p.seen.published()
	switch {
	case asked == nil || !asked.Pending || asked.Name != release.Name || asked.Version != release.Spec.Version:
		w.violate("RecordFirst", "release %s of version %s is created, and the newest record asks for %+v", release.Name, release.Spec.Version, asked)
	case contentDigest(&release.Spec) != w.memory.contents[release.Spec.Version]:
		w.violate("OneContent", "release %s is created with another content than its version has", release.Name)
	}
	for _, other := range p.seen.lists[releases] {
		if r := other.(*v1alpha1.ImmutableRelease); r.UID != release.UID && r.Spec.Version == release.Spec.Version {
			w.violate("OneContent", "release %s is created, and %s has its version", release.Name, r.Name)
		}
	}
}

// checkRestTemplate: at rest the version of a template has its release, as it says; or it is
// said why not.
func (w *World) checkRestTemplate() {
	track := w.track()
	said := condition(track, v1alpha1.ConditionPublished)
	if track.Spec.ReleaseTemplate == nil {
		if said != nil {
			w.violate("Published", "there is no template, and %s is said of it", said.Reason)
		}
		return
	}
	var of *v1alpha1.ImmutableRelease
	name := resources.TemplateRelease(track).Name
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		if r.Spec.Version == track.Spec.ReleaseTemplate.Version && (of == nil || of.Name != name && (r.Name == name || r.CreationTimestamp.Before(&of.CreationTimestamp))) {
			of = r
		}
	}
	want := rollout.ReasonReleaseGone
	switch {
	case of != nil && equality.Semantic.DeepEqual(of.Spec.ReleaseTemplate, *track.Spec.ReleaseTemplate):
		want = rollout.ReasonPublished
	case of != nil:
		want = rollout.ReasonVersionReused
	}
	if said == nil || said.Reason != want && (of != nil || said.Reason != rollout.ReasonVersionReused && said.Reason != rollout.ReasonNameTaken) {
		w.violate("Published", "of the template of version %s is said %+v, and it should be %s", track.Spec.ReleaseTemplate.Version, said, want)
	}
}

// resolved: every Service that a route refers to is there, and so its router reports.
func (w *World) resolved() bool {
	if !w.edgeResolved() || !w.legsResolved() {
		return false
	}
	for _, route := range each[gatewayv1.HTTPRoute](&w.store, httpRoutes) {
		for _, rule := range route.Spec.Rules {
			for _, backend := range rule.BackendRefs {
				if route.Labels[v1alpha1.LabelTrack] != "" && on[corev1.Service](&w.store, services, string(backend.Name)) == nil {
					return false
				}
			}
		}
	}
	return true
}

func isLive(state v1alpha1.TrackState, r *v1alpha1.ImmutableRelease) bool {
	return slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == r.UID })
}

// checkRestMarks: at rest what serves or is pinned has its mark, and what is neither
// live, pinned nor on a route has none, unless a router cannot tell what it carries.
func (w *World) checkRestMarks() {
	state, track := w.head(), w.track()
	if state.Stable == nil {
		return
	}
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		stable, pinned := r.UID == state.Stable.UID, track.Spec.ReleaseName == r.Name
		marked := resources.HeldBy(r) > 0
		if (stable || pinned) && !marked {
			w.violate("Held", "at rest %s has no mark: stable %t, pinned %t", r.Name, stable, pinned)
		}
		if !stable && !pinned && marked && !isLive(state, r) && !w.onRoute(r.Name) && w.resolved() {
			w.violate("Held", "at rest %s is held by record %d, and nothing needs it", r.Name, resources.HeldBy(r))
		}
	}
}

// onRoute: a route object lists a release, be it one that the track no longer names.
func (w *World) onRoute(release string) bool {
	for _, k := range []kind{httpRoutes, ingresses, traefikServices, services} {
		for _, object := range w.shelves[k] {
			_, weights, _ := carried(object)
			if slices.ContainsFunc(weights, func(s v1alpha1.ReleaseWeight) bool { return s.ReleaseName == release }) {
				return true
			}
		}
	}
	return false
}
