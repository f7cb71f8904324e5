package ledger

import (
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Read makes the index of a track's records, given in any order. Where the chain
// does not verify, Broken says why; the index then holds what the records say all
// the same. The answer shares memory with the records: both are read only.
//
// It hashes every record. A Reader does so once.
func Read(records []v1alpha1.ReleaseRecord) rollout.Log {
	return readSorted(sorted(records))
}

func readSorted(list []*v1alpha1.ReleaseRecord) rollout.Log {
	log := emptyLog()
	kept, gone, chain, by := pruned(list)
	for _, record := range slices.Concat(kept, chain) {
		note(&log, record)
	}
	if err := verifySorted(list); err != nil {
		log.Broken = err.Error()
	}
	for _, record := range gone {
		log.Pruned = append(log.Pruned, record.Spec.Sequence)
	}
	if len(chain) > 0 {
		log.First = chain[0].Spec.Sequence
	}
	if by != nil && len(chain) > 0 && madeBy(chain[0]).After(log.ActionsSince) {
		log.ActionsSince = madeBy(chain[0])
	}
	return log
}

// madeBy is when a record was there, by its writer's clock and by the API server's: what
// users have created is compared with it, and the writer's clock may be behind.
func madeBy(record *v1alpha1.ReleaseRecord) time.Time {
	if record.CreationTimestamp.After(record.Spec.Time.Time) {
		return record.CreationTimestamp.Time
	}
	return record.Spec.Time.Time
}

func emptyLog() rollout.Log {
	return rollout.Log{
		Verdicts:       map[string]rollout.Verdict{},
		Promotions:     map[string]rollout.Promotion{},
		Attempts:       map[string]int32{},
		ContentDigests: map[string]string{},
		Digests:        map[string]rollout.RecordedDigest{},
		Tests:          map[string][]v1alpha1.TestResult{},
		Actions:        map[string]rollout.ActionRecord{},
	}
}

// note adds a record, newer than all before it, to the index.
func note(log *rollout.Log, record *v1alpha1.ReleaseRecord) {
	spec := &record.Spec
	log.Head = spec
	log.Count++
	if spec.ActionName != "" {
		log.Actions[spec.ActionName] = rollout.ActionRecord{Sequence: spec.Sequence, Time: spec.Time.Time}
	}
	if about := spec.Release; about != nil {
		if about.ContentDigest != "" && log.ContentDigests[about.Version] == "" {
			log.ContentDigests[about.Version] = about.ContentDigest
		}
		noteDigest(log, spec)
		if about.Attempt > log.Attempts[about.Version] {
			log.Attempts[about.Version] = about.Attempt
		}
		if spec.Event == v1alpha1.EventAttemptOpened {
			delete(log.Tests, about.Version)
		}
		if about.Test != nil {
			log.Tests[about.Version] = withResult(log.Tests[about.Version], *about.Test)
		}
		switch {
		case spec.Event == v1alpha1.EventRestored:
			restore(log, about)
		case spec.Event.IsVerdict():
			log.Verdicts[about.Version] = verdict(spec)
		case spec.Event == v1alpha1.EventAdopted:
			adopted := verdict(spec)
			adopted.Event = v1alpha1.EventPromoted // What serves got there somehow.
			log.Verdicts[about.Version] = adopted
			log.LostTime, log.ActionsSince = madeBy(record), madeBy(record)
		}
	}
	if stable := becameStable(spec); stable != nil {
		log.Promotions[stable.Version] = rollout.Promotion{
			ReleaseName: stable.Name,
			UID:         stable.UID,
			Sequence:    spec.Sequence,
			Time:        spec.Time.Time,
		}
	}
}

// noteDigest keeps what a seal is known by: the newest verdict, and what the records of
// an open attempt say, as its verdict will.
func noteDigest(log *rollout.Log, spec *v1alpha1.ReleaseRecordSpec) {
	about, decided := spec.Release, spec.Event.IsVerdict() || spec.Event == v1alpha1.EventRestored || spec.Event == v1alpha1.EventAdopted
	tried := spec.State.Candidate != nil && spec.State.Candidate.UID == about.UID
	switch {
	case about.Digest != "" && (decided || tried):
		log.Digests[about.Version] = rollout.RecordedDigest{ReleaseName: about.Name, UID: about.UID, Digest: about.Digest}
	case decided:
		delete(log.Digests, about.Version)
	}
}

// restore lets what was said of the former object of a release hold for the one that
// came back in its place.
func restore(log *rollout.Log, about *v1alpha1.RecordedRelease) {
	if verdict, ok := log.Verdicts[about.Version]; ok && verdict.UID == about.FormerUID {
		verdict.UID = about.UID
		log.Verdicts[about.Version] = verdict
	}
	if promotion, ok := log.Promotions[about.Version]; ok && promotion.UID == about.FormerUID {
		promotion.UID = about.UID
		log.Promotions[about.Version] = promotion
	}
}

// withResult puts the newest result of a test's Job into a list of its own.
func withResult(results []v1alpha1.TestResult, result v1alpha1.TestResult) []v1alpha1.TestResult {
	results = slices.Clone(results)
	for i := range results {
		if results[i].JobName == result.JobName {
			results[i] = result
			return results
		}
	}
	return append(results, result)
}

func verdict(spec *v1alpha1.ReleaseRecordSpec) rollout.Verdict {
	about := spec.Release
	return rollout.Verdict{
		Event:        spec.Event,
		ReleaseName:  about.Name,
		UID:          about.UID,
		CreationTime: about.CreationTime.Time,
		Attempt:      about.Attempt,
		Pinned:       about.Pinned,
		Sequence:     spec.Sequence,
		Reason:       spec.Reason,
		Message:      spec.Message,
	}
}

// becameStable is the release that a record makes stable; nil for records that
// leave stable as it was. RolledBack is about the release that was left, and its
// state names the one that was gone back to.
func becameStable(spec *v1alpha1.ReleaseRecordSpec) *v1alpha1.ReleaseRef {
	switch spec.Event {
	case v1alpha1.EventPromoted, v1alpha1.EventAdopted, v1alpha1.EventRolledBack:
		return spec.State.Stable
	}
	return nil
}
