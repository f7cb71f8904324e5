package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Chain makes of an entry the record that follows head, or the first record of
// the track where head is nil: number 1, or, where the log is lost, the number after
// the newest stamp. Its time is now in UTC, to the microsecond, but
// never before head's: clocks of two leaders differ, and the log must not run
// backwards.
func Chain(trackName string, head *v1alpha1.ReleaseRecordSpec, entry rollout.Entry, now time.Time) v1alpha1.ReleaseRecordSpec {
	spec := v1alpha1.ReleaseRecordSpec{
		TrackName:  trackName,
		Sequence:   entry.LastStamp + 1,
		Time:       metav1.NewMicroTime(now.UTC().Truncate(time.Microsecond)),
		Actor:      entry.Actor,
		Event:      entry.Event,
		Reason:     entry.Reason,
		Message:    resources.Bound(entry.Message, maxMessageBytes),
		ActionName: entry.ActionName,
		Release:    entry.Release,
		Pruned:     entry.Pruned,
		State:      entry.State,
	}
	if head != nil {
		spec.Sequence = head.Sequence + 1
		spec.PreviousDigest = head.Digest
		if spec.Time.Time.Before(head.Time.Time) {
			spec.Time = head.Time
		}
	}
	return seal(spec)
}

// maxMessageBytes is within what the API server stores of a message. A decision is
// recorded whatever routers, or the API server itself, have to say about it.
const maxMessageBytes = 16 << 10

// seal brings a record into the form in which it will be read back (times in
// microseconds, nothing that is null) and writes its digest: what is hashed is
// what is stored.
func seal(spec v1alpha1.ReleaseRecordSpec) v1alpha1.ReleaseRecordSpec {
	data, err := json.Marshal(undigested{ReleaseRecordSpec: &spec})
	if err != nil {
		return spec // A record without a digest verifies nothing.
	}
	var stored v1alpha1.ReleaseRecordSpec
	if err := jsonv1.Unmarshal(data, &stored); err != nil { // As encoding/json has it, in a third of the time.
		return spec
	}
	stored.Digest = digestOf(data)
	return stored
}

// undigested is the JSON of a record's spec without its digest.
type undigested struct {
	*v1alpha1.ReleaseRecordSpec
	// Digest hides the field of the same name: it is never set.
	Digest *string `json:"digest,omitempty"`
}

// Digest computes the digest of a record over all of its spec but the digest:
// sha256:<hexadecimal>. It is "" for a spec that has no canonical JSON, which
// verifies nothing.
func Digest(spec *v1alpha1.ReleaseRecordSpec) string {
	data, err := json.Marshal(undigested{ReleaseRecordSpec: spec})
	if err != nil {
		return ""
	}
	return digestOf(data)
}

// digestOf the JSON of a record's spec without its digest. It
// reorders what it is given.
func digestOf(data []byte) string {
	if known := recent.get(data); known != "" {
		return known
	}
	key := string(data)
	digest := computeDigest(data)
	recent.put(key, digest)
	return digest
}

// recent are the digests that were computed last: who appends a record reads it next, and
// JSON that is the same to the byte has the same digest.
var recent digests

// digests by the JSON that they are of, at most twice maxRecent. Safe for concurrent use.
type digests struct {
	mu sync.Mutex
	// older are those of before newer had as many.
	newer, older map[string]string
}

const maxRecent = 64

func (d *digests) get(data []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.newer[string(data)], d.older[string(data)])
}

func (d *digests) put(data, digest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.newer == nil || len(d.newer) >= maxRecent {
		d.newer, d.older = make(map[string]string, maxRecent), d.newer
	}
	d.newer[data] = digest
}

func computeDigest(data []byte) string {
	canonical := jsontext.Value(data)
	if err := canonical.Canonicalize(); err != nil {
		return ""
	}
	sum := sha256.New()
	sum.Write([]byte(resources.Scheme + " record\n"))
	sum.Write(canonical)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
