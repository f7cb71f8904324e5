package upkeep

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// owed is an entry of the guards' log that is not there yet.
type owed struct {
	rollout.Entry
	*finding
}

func (k *Keeper) owe(found *finding) {
	k.owed = append(k.owed, owed{rollout.Entry{Event: v1alpha1.EventDrift, Reason: found.reason, Message: found.message, Actor: k.actor}, found})
}

// record appends what is owed to the guards' log, read past the cache: that is rare.
// What fails is owed until it succeeds.
func (k *Keeper) record(ctx context.Context) error {
	if len(k.owed) == 0 {
		return nil
	}
	var list v1alpha1.ReleaseRecordList
	if err := k.live.List(ctx, &list, client.InNamespace(k.namespace), client.MatchingLabels{v1alpha1.LabelTrack: guards.LogName}); err != nil {
		return fmt.Errorf("read the log of the guards: %w", err)
	}
	head := ledger.Read(list.Items).Head
	for len(k.owed) > 0 {
		first := &k.owed[0]
		if !is(head, first) { // Else only the answer was lost.
			record, err := ledger.Append(ctx, k.client, k.namespace, ledger.Chain(guards.LogName, head, first.Entry, first.at))
			if err != nil {
				return err
			}
			head = &record.Spec
		}
		first.record, k.owed = resources.RecordName(guards.LogName, head.Sequence), k.owed[1:]
	}
	return nil
}

func is(head *v1alpha1.ReleaseRecordSpec, entry *owed) bool {
	return head != nil && head.Message == entry.message && head.Time.Time.Equal(entry.at.Truncate(time.Microsecond))
}
