package ledger

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// ErrLost: somebody else has appended to the log since it was read. Nothing has
// been decided; read again.
var ErrLost = errors.New("the log has moved on since it was read")

// Append creates the record, and answers with the object as it was stored. It fails with ErrLost where the sequence number is
// taken, also by an earlier try of the same caller whose answer got lost: the
// record counts, and is found by reading again.
func Append(ctx context.Context, c client.Writer, namespace string, spec v1alpha1.ReleaseRecordSpec) (*v1alpha1.ReleaseRecord, error) {
	record := Record(namespace, spec)
	if err := c.Create(ctx, record); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("append ReleaseRecord %s/%s: %w", namespace, record.Name, ErrLost)
		}
		return nil, fmt.Errorf("append ReleaseRecord %s/%s: %w", namespace, record.Name, err)
	}
	return record, nil
}

// Record is the object that holds a record. It has no owner: the log outlives
// the track.
func Record(namespace string, spec v1alpha1.ReleaseRecordSpec) *v1alpha1.ReleaseRecord {
	labels := map[string]string{v1alpha1.LabelTrack: spec.TrackName}
	if spec.Release != nil {
		labels[v1alpha1.LabelRelease] = spec.Release.Name
		labels[v1alpha1.LabelVersion] = spec.Release.Version
	}
	return &v1alpha1.ReleaseRecord{
		ObjectMeta: metav1.ObjectMeta{
			Name:      resources.RecordName(spec.TrackName, spec.Sequence),
			Namespace: namespace,
			Labels:    labels,
		},
		Spec: spec,
	}
}

// Confirm says whether head, nil before the first record, is still the newest
// record of the track: the next one must not exist. live must read the API server
// itself, not a cache. It fails with ErrLost where the log has moved on.
func Confirm(ctx context.Context, live client.Reader, namespace, track string, head *v1alpha1.ReleaseRecordSpec) error {
	next := int64(1)
	if head != nil {
		next = head.Sequence + 1
	}
	key := types.NamespacedName{Namespace: namespace, Name: resources.RecordName(track, next)}
	err := live.Get(ctx, key, &v1alpha1.ReleaseRecord{})
	switch {
	case err == nil:
		return fmt.Errorf("confirm the log of track %s: %w", key, ErrLost)
	case apierrors.IsNotFound(err):
		return nil
	default:
		return fmt.Errorf("confirm the log of track %s: %w", key, err)
	}
}
