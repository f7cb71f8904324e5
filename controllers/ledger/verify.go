package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// BrokenError names the first record at which a log is not what was written.
type BrokenError struct {
	TrackName string
	Sequence  int64
	Problem   string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the log of track %s is broken at record %d: %s", e.TrackName, e.Sequence, e.Problem)
}

// Verify checks that the records of a track, given in any order, are a chain from
// the oldest that is kept: none edited, missing, renumbered or there twice. The
// oldest is number 1, or says that those before it were lost. Where records were pruned, the chain is whole from where the newest Pruned says, and the older
// ones that stay are those that it has a digest of; others count for nothing. It answers
// with a *BrokenError for the first sequence number that is wrong, else nil.
func Verify(records []v1alpha1.ReleaseRecord) error {
	return verifySorted(sorted(records))
}

// VerifyAfter checks that the records of a track, given in any order, are a chain that
// follows a record of which its number and digest are known. It answers as Verify does.
func VerifyAfter(trackName string, sequence int64, digest string, records []v1alpha1.ReleaseRecord) error {
	previous := &v1alpha1.ReleaseRecordSpec{TrackName: trackName, Sequence: sequence, Digest: digest}
	for _, record := range sorted(records) {
		if err := verifyNext(previous, record); err != nil {
			return err
		}
		previous = &record.Spec
	}
	return nil
}

// sorted is the records by sequence number, then name: equal numbers are an error
// that must read the same every time.
func sorted(records []v1alpha1.ReleaseRecord) []*v1alpha1.ReleaseRecord {
	list := make([]*v1alpha1.ReleaseRecord, len(records))
	for i := range records {
		list[i] = &records[i]
	}
	slices.SortFunc(list, func(a, b *v1alpha1.ReleaseRecord) int {
		return cmp.Or(cmp.Compare(a.Spec.Sequence, b.Spec.Sequence), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func verifySorted(records []*v1alpha1.ReleaseRecord) error {
	kept, _, chain, by := pruned(records)
	if by != nil {
		if err := verifyKept(kept, chain, by); err != nil {
			return err
		}
	} else if len(chain) > 0 && chain[0].Spec.Sequence != 1 && chain[0].Spec.Event != v1alpha1.EventAdopted {
		first := &chain[0].Spec
		return &BrokenError{TrackName: first.TrackName, Sequence: first.Sequence - 1, Problem: fmt.Sprintf("it is missing; the oldest is %d", first.Sequence)}
	}
	var previous *v1alpha1.ReleaseRecordSpec
	for _, record := range chain {
		if err := verifyNext(previous, record); err != nil {
			return err
		}
		previous = &record.Spec
	}
	return nil
}

func verifyKept(kept, chain []*v1alpha1.ReleaseRecord, by *v1alpha1.ReleaseRecord) error {
	for _, record := range kept {
		if err := verifyNext(nil, record); err != nil {
			return err
		}
	}
	says := by.Spec.Pruned
	broken := &BrokenError{TrackName: by.Spec.TrackName, Sequence: says.BeforeSequence}
	if len(chain) == 0 || chain[0].Spec.Sequence != says.BeforeSequence {
		broken.Problem = fmt.Sprintf("it is missing, and record %d says that it stays", by.Spec.Sequence)
		return broken
	}
	if keptDigest(kept) != says.KeptDigest {
		broken.Problem = fmt.Sprintf("the records before it are not those that record %d left", by.Spec.Sequence)
		return broken
	}
	return nil
}

// verifyNext checks one record against the one before it, which is nil for the
// anchor.
func verifyNext(previous *v1alpha1.ReleaseRecordSpec, record *v1alpha1.ReleaseRecord) error {
	spec := &record.Spec
	broken := func(sequence int64, format string, args ...any) error {
		return &BrokenError{TrackName: spec.TrackName, Sequence: sequence, Problem: fmt.Sprintf(format, args...)}
	}
	if previous != nil {
		switch {
		case spec.TrackName != previous.TrackName:
			return broken(spec.Sequence, "it belongs to track %s, not %s", spec.TrackName, previous.TrackName)
		case spec.Sequence == previous.Sequence:
			return broken(spec.Sequence, "it is there twice, the second time as %s", record.Name)
		case spec.Sequence != previous.Sequence+1:
			return broken(previous.Sequence+1, "it is missing; the next one is %d", spec.Sequence)
		}
	}
	if want := resources.RecordName(spec.TrackName, spec.Sequence); record.Name != want {
		return broken(spec.Sequence, "its name is %s, not %s", record.Name, want)
	}
	if digest := Digest(spec); digest == "" || digest != spec.Digest {
		return broken(spec.Sequence, "it was edited: its content has digest %s, and it says %s", digest, spec.Digest)
	}
	if previous != nil && spec.PreviousDigest != previous.Digest {
		return broken(spec.Sequence, "it follows a record with digest %s, and the one before it has %s", spec.PreviousDigest, previous.Digest)
	}
	if previous != nil && spec.Time.Time.Before(previous.Time.Time) {
		return broken(spec.Sequence, "it is older than the one before it")
	}
	return nil
}

// Restorable says whether a record may be added to those that a track has: it is as it
// was written, and either the first, or the one that the oldest names as the one before
// it, or one of those that were pruned. So a log is restored from its newest record on,
// and nothing is added to it.
func Restorable(record *v1alpha1.ReleaseRecord, there []v1alpha1.ReleaseRecord) error {
	if err := verifyNext(nil, record); err != nil {
		return err
	}
	list := sorted(there)
	if len(list) == 0 {
		return nil
	}
	for _, other := range list {
		if p := other.Spec.Pruned; p != nil && record.Spec.Sequence < p.BeforeSequence {
			return nil
		}
	}
	if oldest := &list[0].Spec; oldest.Sequence != record.Spec.Sequence+1 || oldest.PreviousDigest != record.Spec.Digest {
		return fmt.Errorf("the track has records, and record %d is not the one before the oldest, %d: a log is restored from its newest record on", record.Spec.Sequence, oldest.Sequence)
	}
	return nil
}
