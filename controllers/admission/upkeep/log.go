package upkeep

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// owed is an entry of the guards' log that is not there yet.
type owed struct {
	rollout.Entry
	at time.Time
}

func (k *Keeper) owe(reason, message string) {
	k.owed = append(k.owed, owed{
		Entry: rollout.Entry{Event: v1alpha1.EventDrift, Reason: reason, Message: message, Actor: k.actor},
		at:    k.now(),
	})
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
		if is(head, &k.owed[0]) { // Only the answer was lost.
			k.owed = k.owed[1:]
			continue
		}
		next := ledger.Chain(guards.LogName, head, k.owed[0].Entry, k.owed[0].at)
		record, err := ledger.Append(ctx, k.client, k.namespace, next)
		if err != nil {
			return err
		}
		head, k.owed = &record.Spec, k.owed[1:]
	}
	return nil
}

func is(head *v1alpha1.ReleaseRecordSpec, entry *owed) bool {
	return head != nil && head.Message == entry.Message && head.Time.Time.Equal(entry.at.Truncate(time.Microsecond))
}
