package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// notebooks hold what this process remembers of each track, to be spared useless
// requests: what it wrote, and the cache may not show yet. Nothing is decided
// from them, and losing them changes nothing.
type notebooks struct{ byTrack sync.Map }

// notebook of one track. A track is worked on by one worker at a time, and so
// needs no lock.
type notebook struct {
	// head is the sequence number of the newest record that this process appended.
	// A cache that is behind it is passed by.
	head int64
	// restlessSince is when the track was last at rest; zero while it is.
	restlessSince time.Time
	// stage that was reported last, for the metrics, and since when; zero where that
	// was not seen.
	stage      string
	stageSince time.Time
	// reports are the statuses written last, by the UID of their object.
	reports map[types.UID]published
}

func (n *notebooks) of(track types.NamespacedName) *notebook {
	found, _ := n.byTrack.LoadOrStore(track, &notebook{reports: map[types.UID]published{}})
	return found.(*notebook)
}

func (n *notebooks) forget(track types.NamespacedName) { n.byTrack.Delete(track) }

// keep drops the reports of all other objects.
func (n *notebook) keep(exists map[types.UID]bool) {
	for uid := range n.reports {
		if !exists[uid] {
			delete(n.reports, uid)
		}
	}
}
