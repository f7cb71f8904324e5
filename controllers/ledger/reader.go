package ledger

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Reader reads logs and remembers, for each track, how far it has verified and
// indexed them: a record is hashed once, not at every look at its track. It
// remembers nothing that the records do not say, and forgets all of it without
// harm. Safe for concurrent use.
type Reader struct {
	mu     sync.Mutex
	seed   maphash.Seed
	tracks map[types.NamespacedName]*remembered
}

// remembered is the index over the first records of a track.
type remembered struct {
	log rollout.Log
	// count of those records, be they pruned ones that count for nothing.
	count int
	// prints is over UID and resourceVersion of those records in order: equal
	// prints, unchanged records.
	prints uint64
}

// NewReader makes a Reader that remembers nothing.
func NewReader() *Reader {
	return &Reader{seed: maphash.MakeSeed(), tracks: map[types.NamespacedName]*remembered{}}
}

// Read is like the function Read, for the records of one track as a cache holds
// them. The answer's maps are shared with later answers, and are read only.
func (r *Reader) Read(track types.NamespacedName, records []v1alpha1.ReleaseRecord) rollout.Log {
	list := sorted(records)
	r.mu.Lock()
	defer r.mu.Unlock()

	known := r.tracks[track]
	if known == nil || known.count > len(list) || known.prints != r.prints(list[:known.count]) {
		known = &remembered{log: emptyLog()}
	}
	fresh := list[known.count:]
	whole := known.count == 0 || slices.ContainsFunc(fresh, func(record *v1alpha1.ReleaseRecord) bool { return record.Spec.Pruned != nil })
	switch {
	case whole && len(fresh) > 0:
		known = &remembered{log: readSorted(list)}
		own(&known.log)
	case len(fresh) > 0:
		known = extend(known, fresh)
	}
	known.count = len(list)
	if known.log.Broken != "" {
		// What is wrong may be put right by a restore: look at all of it again.
		delete(r.tracks, track)
		return known.log
	}
	known.prints = r.prints(list)
	r.tracks[track] = known
	return known.log
}

// Forget drops what is remembered of a track.
func (r *Reader) Forget(track types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tracks, track)
}

// extend verifies and indexes the records that follow the known ones, leaving the
// maps of answers already given as they are.
func extend(known *remembered, fresh []*v1alpha1.ReleaseRecord) *remembered {
	log := known.log
	log.Verdicts = maps.Clone(log.Verdicts)
	log.Promotions = maps.Clone(log.Promotions)
	log.Attempts = maps.Clone(log.Attempts)
	log.ContentDigests = maps.Clone(log.ContentDigests)
	log.Digests = maps.Clone(log.Digests)
	log.Tests = maps.Clone(log.Tests)
	log.Actions = maps.Clone(log.Actions)
	for _, record := range fresh {
		if log.Broken == "" {
			if err := verifyNext(log.Head, record); err != nil {
				log.Broken = err.Error()
			}
		}
		note(&log, record)
	}
	own(&log)
	return &remembered{log: log}
}

// own copies the head: a pointer into the list would keep all of it in memory.
func own(log *rollout.Log) {
	if log.Head != nil {
		head := *log.Head
		log.Head = &head
	}
}

func (r *Reader) prints(records []*v1alpha1.ReleaseRecord) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, record := range records {
		h.WriteString(string(record.UID))
		h.WriteByte(0)
		h.WriteString(record.ResourceVersion)
		h.WriteByte(0)
	}
	return h.Sum64()
}
