package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// seen is what a reconcile has read since it last began to observe: what its writes
// answer for.
type seen struct {
	// begun: more was read than the log, at that time.
	begun bool
	at    time.Time
	// live: read past the cache.
	live  bool
	track *v1alpha1.ReleaseTrack
	lists [kinds]shelf
	// looked is how many ready endpoints of a Service a provider found when it last looked.
	looked map[string]int
	// others are the Services of the whole namespace.
	others shelf
}

// noteGet: the track is read second; what is read one by one is what a list did not
// show.
func (p *process) noteGet(live bool, k kind, found client.Object) {
	if k == tracks {
		track, _ := found.(*v1alpha1.ReleaseTrack)
		p.seen.live, p.seen.track, p.seen.begun, p.seen.at = live, track, true, p.w.Now
		return
	}
	if found != nil && p.seen.lists[k].get(found.GetName()) == nil {
		p.seen.lists[k].put(found)
	}
}

// noteList notes the lists of what belongs to the track, and of all Services; those
// that providers make by indexes of their own are parts of them. Reading the log begins
// an observation.
func (p *process) noteList(k kind, asked *client.ListOptions, found shelf) {
	switch {
	case k == endpointSlices && asked.FieldSelector != nil && !ofTrack(asked.FieldSelector):
		if p.seen.looked == nil {
			p.seen.looked = map[string]int{}
		}
		service := asked.FieldSelector.Requirements()[0].Value
		p.seen.looked[service] = readyEndpoints(found, service)
	case asked.FieldSelector != nil && !ofTrack(asked.FieldSelector):
	case asked.FieldSelector != nil || asked.LabelSelector != nil:
		if k == records && p.seen.begun {
			p.seen = seen{}
		}
		p.seen.lists[k] = slices.Clip(found) // What is added to it goes into another one.
		if k == records {
			p.seen.lists[k] = slices.Clone(found)
			p.seen.add(p.appended)
		}
	case k == services:
		p.seen.others = slices.Clone(found)
	}
}

// published is the release of a template that the newest record asks for.
func (s *seen) published() *v1alpha1.PublishedRelease {
	all := s.lists[records]
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1].(*v1alpha1.ReleaseRecord).Spec.State.Published
}

// add the records that the reconcile has appended itself.
func (s *seen) add(appended []client.Object) {
	for _, record := range appended {
		s.lists[records].put(record)
	}
}

func ofTrack(selector fields.Selector) bool {
	_, name := selector.RequiresExactMatch(indexTrackName)
	_, label := selector.RequiresExactMatch(indexTrackLabel)
	return name || label
}

// The names of the loop's indexes by track.
const (
	indexTrackName  = "spec.trackName"
	indexTrackLabel = "metadata.labels." + v1alpha1.LabelTrack
)
