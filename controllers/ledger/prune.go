package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// KeptDigest is over the records before one that stay when the others before it are
// pruned by the record that follows all that are given, in any order.
func KeptDigest(records []v1alpha1.ReleaseRecord, before int64) string {
	return keptDigest(keepers(sorted(records), before))
}

// keepers are the records before one that the log is remembered by: of every version
// the newest verdict, the newest promotion and the first content digest, the newest
// Adopted, and every Restored, which says whose they are now. What is newer takes part:
// it may have taken their place.
func keepers(records []*v1alpha1.ReleaseRecord, before int64) []*v1alpha1.ReleaseRecord {
	decide := map[string]int{}
	for i, record := range records {
		spec := &record.Spec
		if about := spec.Release; about != nil {
			if spec.Event.IsVerdict() {
				decide["verdict "+about.Version] = i
			}
			if _, known := decide["content "+about.Version]; about.ContentDigest != "" && !known {
				decide["content "+about.Version] = i
			}
		}
		if stable := becameStable(spec); stable != nil {
			decide["promotion "+stable.Version] = i
		}
		if spec.Event == v1alpha1.EventAdopted {
			decide["adopted"] = i
		}
	}
	keep := make([]bool, len(records))
	for i, record := range records {
		keep[i] = record.Spec.Event == v1alpha1.EventRestored
	}
	for _, i := range decide {
		keep[i] = true
	}
	var kept []*v1alpha1.ReleaseRecord
	for i, record := range records {
		if keep[i] && record.Spec.Sequence < before {
			kept = append(kept, record)
		}
	}
	return kept
}

func keptDigest(kept []*v1alpha1.ReleaseRecord) string {
	sum := sha256.New()
	sum.Write([]byte(resources.Scheme + " kept\n"))
	for _, record := range kept {
		fmt.Fprintf(sum, "%d %s\n", record.Spec.Sequence, record.Spec.Digest)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// pruned splits sorted records by the newest Pruned among them: the older ones that
// the log is remembered by, those that are to go, and those from which the chain is
// whole. by is nil where nothing was pruned.
func pruned(records []*v1alpha1.ReleaseRecord) (kept, gone, chain []*v1alpha1.ReleaseRecord, by *v1alpha1.ReleaseRecord) {
	at := len(records) - 1
	for at >= 0 && records[at].Spec.Pruned == nil {
		at--
	}
	if at < 0 {
		return nil, nil, records, nil
	}
	by = records[at]
	before := by.Spec.Pruned.BeforeSequence
	kept = keepers(records[:at], before)
	stays := make(map[int64]bool, len(kept))
	for _, record := range kept {
		stays[record.Spec.Sequence] = true
	}
	for i, record := range records {
		if record.Spec.Sequence >= before {
			return kept, gone, records[i:], by
		}
		if !stays[record.Spec.Sequence] {
			gone = append(gone, record)
		}
	}
	return kept, gone, nil, by
}
