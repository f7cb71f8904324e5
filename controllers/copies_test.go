package controllers

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
)

const (
	secretValue  = "one-canary-8d1f"
	writtenValue = "two-canary-8d1f"
)

// configured is a bench whose release 1.0 serves with a ConfigMap and a Secret. reads counts
// those of snapshots.
func configured(t *testing.T) (b *bench, reads *int) {
	t.Helper()
	b, reads = newBench(t), new(int)
	b.loop.live = interceptor.NewClient(b.api.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if strings.HasPrefix(key.Name, "shop-1.0-settings") || strings.HasPrefix(key.Name, "shop-1.0-password") {
				*reads++
			}
			return c.Get(ctx, key, object, options...)
		},
	})
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: shop.Namespace, Name: name} }
	b.store(&corev1.ConfigMap{ObjectMeta: meta("settings"), Data: map[string]string{"greeting": "hello"}})
	b.store(&corev1.Secret{ObjectMeta: meta("password"), Data: map[string][]byte{"word": []byte(secretValue)}})
	b.publishConfigured("1.0")
	b.settle("shop-1.0")
	return b, reads
}

// copied are the snapshots of a release, in the order in which it names them.
func (b *bench) copied(release string) (*corev1.ConfigMap, *corev1.Secret) {
	b.Helper()
	w, err := b.loop.observe(b.Context(), shop, reading{})
	b.must(err)
	configMap, secret := &corev1.ConfigMap{}, &corev1.Secret{}
	frozen := w.facts(release).Sealed.Snapshots
	b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: frozen[0].Copy}, configMap),
		b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: frozen[1].Copy}, secret))
	return configMap, secret
}

// rewrite has a snapshot be deleted and created again with another content.
func (b *bench) rewrite(secret *corev1.Secret, value string) {
	b.Helper()
	changed := secret.DeepCopy()
	changed.ResourceVersion, changed.Data["word"] = "", []byte(value)
	b.must(b.api.Delete(b.Context(), secret), b.api.Create(b.Context(), changed))
	b.writes = nil
}

// drifts are the records of what was changed.
func (b *bench) drifts() []v1alpha1.ReleaseRecordSpec {
	b.Helper()
	list := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(b.Context(), list))
	var drifts []v1alpha1.ReleaseRecordSpec
	for _, record := range list.Items {
		if record.Spec.Event == v1alpha1.EventDrift {
			drifts = append(drifts, record.Spec)
		}
	}
	return drifts
}

// Snapshots of what serves are looked at once an hour, whatever else happens, and not at
// once after a restart. A settled track writes nothing for it.
func TestSnapshotsAreLookedAtSlowly(t *testing.T) {
	b, reads := configured(t)
	b.writes, *reads = nil, 0
	b.pass(60)
	if *reads != 0 {
		t.Errorf("%d reads of snapshots within a minute", *reads)
	}
	b.within(3 * copiesLooks)
	if *reads < 4 || *reads > 8 {
		t.Errorf("%d reads of 2 snapshots in 3 hours", *reads)
	}
	b.loop.notes.forget(shop) // as a restart does
	*reads = 0
	b.pass(1)
	if *reads != 0 {
		t.Errorf("%d reads of snapshots at the first look after a restart", *reads)
	}
	b.within(copiesLooks + time.Minute)
	if *reads < 2 || *reads > 4 {
		t.Errorf("%d reads of 2 snapshots in the hour after a restart", *reads)
	}
	if len(b.writes) > 0 {
		t.Errorf("something was written: %v", b.writes)
	}
}

// A snapshot that is missing is made again from its source, as it was, after a record.
func TestMissingSnapshotIsMadeAgain(t *testing.T) {
	b, _ := configured(t)
	configMap, secret := b.copied("shop-1.0")
	b.must(b.api.Delete(b.Context(), configMap), b.api.Delete(b.Context(), secret))
	b.writes = nil
	b.within(copiesLooks + time.Minute)
	madeMap, madeSecret := b.copied("shop-1.0")
	if madeMap.Data["greeting"] != "hello" || string(madeSecret.Data["word"]) != secretValue || !isFrozen(madeMap, nil) || !isFrozen(nil, madeSecret) {
		t.Errorf("made again: %v %v", madeMap, madeSecret)
	}
	if len(b.writes) != 3 || !strings.Contains(b.writes[0], "ReleaseRecord") {
		t.Errorf("writes are %v, want the record and two snapshots", b.writes)
	}
	if drifts := b.drifts(); len(drifts) != 1 || drifts[0].Reason != "SnapshotChanged" || !strings.Contains(drifts[0].Message, configMap.Name) || !strings.Contains(drifts[0].Message, secret.Name) {
		t.Errorf("records: %+v", drifts)
	}
	b.expect("shop-1.0", v1alpha1.ConditionDrifted, "False Repaired", secret.Name)
}

// One that is missing, and whose source has moved on, is told of until the source is put
// back.
func TestMissingSnapshotThatNobodyKnows(t *testing.T) {
	b, _ := configured(t)
	_, secret := b.copied("shop-1.0")
	source := &corev1.Secret{}
	b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "password"}, source), b.api.Delete(b.Context(), secret))
	source.Data["word"] = []byte(writtenValue)
	b.must(b.api.Update(b.Context(), source))
	b.within(copiesLooks + time.Minute)
	b.expect("shop-1.0", v1alpha1.ConditionDrifted, "True SnapshotChanged", secret.Name+", the snapshot of password, is missing")
	source.Data["word"] = []byte(secretValue)
	b.must(b.api.Update(b.Context(), source))
	b.within(2 * copiesFresh)
	b.expect("shop-1.0", v1alpha1.ConditionDrifted, "False Repaired", secret.Name)
	if drifts := b.drifts(); len(drifts) != 2 || drifts[0].State.Live[0].Drifts[0].Answer != v1alpha1.DriftLeave || drifts[1].State.Live[0].Drifts[0].Answer != v1alpha1.DriftRepair {
		t.Errorf("records: %+v", drifts)
	}
}

// One that has another content is told of, by its keys and never by its values, also after
// a restart; it is left alone, and nothing is written again and again.
func TestChangedSnapshotIsTold(t *testing.T) {
	b, _ := configured(t)
	_, secret := b.copied("shop-1.0")
	b.rewrite(secret, writtenValue)
	b.within(copiesLooks + time.Minute)
	for range 2 {
		b.expect("shop-1.0", v1alpha1.ConditionDrifted, "True SnapshotChanged", secret.Name+", the snapshot of password, is not what was sealed: it differs in data[word]: ")
		track := b.track()
		if blocked := track.Status.BlockedBy; blocked == nil || blocked.Reason != "SnapshotChanged" || !strings.Contains(blocked.Message, "publish a new release") {
			t.Errorf("blocked by %+v", blocked)
		}
		b.loop.notes.forget(shop) // as a restart does
		b.pass(1)
	}
	b.writes = nil
	b.within(90 * time.Minute)
	drifts := b.drifts()
	if len(drifts) != 1 || len(b.writes) > 0 {
		t.Errorf("%d records, and then written: %v", len(drifts), b.writes)
	}
	for _, text := range []string{drifts[0].Message, drifts[0].State.Live[0].Drifts[0].Message} {
		if strings.Contains(text, "canary") || !strings.Contains(text, "data[word]") {
			t.Errorf("the record says %q", text)
		}
	}
	_, left := b.copied("shop-1.0")
	if string(left.Data["word"]) != writtenValue {
		t.Errorf("it was written: %s", left.Data)
	}
}

// One that anybody can change is none, whatever it says now.
func TestMutableSnapshotIsDrift(t *testing.T) {
	b, _ := configured(t)
	configMap, _ := b.copied("shop-1.0")
	mutable := configMap.DeepCopy()
	mutable.ResourceVersion, mutable.Immutable = "", nil
	b.must(b.api.Delete(b.Context(), configMap), b.api.Create(b.Context(), mutable))
	b.within(copiesLooks + time.Minute)
	b.expect("shop-1.0", v1alpha1.ConditionDrifted, "True SnapshotChanged", "it differs in immutable")
}

// A key of digests that was lost, and made anew, tells nothing of Secrets that were hashed
// with another one.
func TestAnotherDigestKeyIsNoDrift(t *testing.T) {
	b, _ := configured(t)
	b.loop.options.SnapshotKey = []byte("another key of thirty-two bytes.")
	b.within(2 * copiesLooks)
	if drifts := b.drifts(); len(drifts) != 0 {
		t.Errorf("records: %+v", drifts)
	}
	b.expect("shop-1.0", v1alpha1.ConditionDrifted, "False AsSealed", "")
}

// A candidate whose snapshot is not what was sealed gets no traffic, and a Rollback to a
// release that may run something else says so.
func TestBrokenSnapshotTakesNoTraffic(t *testing.T) {
	b, _ := configured(t)
	track := b.track()
	track.Spec.Rollout = &v1alpha1.RolloutSpec{AdvancePolicy: v1alpha1.AdvancePaused}
	b.must(b.api.Update(b.Context(), track))
	b.publishConfigured("2.0")
	b.pass(10)
	_, secret := b.copied("shop-2.0")
	b.rewrite(secret, writtenValue)
	track = b.track()
	track.Spec.Rollout = nil
	b.now = b.now.Add(copiesFresh)
	b.must(b.api.Update(b.Context(), track))
	b.pass(10)
	if track = b.track(); track.Status.StableReleaseName != "shop-1.0" || track.Status.WeightPercent != 0 || track.Status.BlockedBy == nil || track.Status.BlockedBy.Reason != "SnapshotChanged" {
		t.Errorf("status is %+v", track.Status)
	}
	b.rewrite(secret, secretValue)
	b.within(2 * copiesFresh)
	b.settle("shop-2.0")

	_, warm := b.copied("shop-1.0")
	b.rewrite(warm, writtenValue)
	b.store(&v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "back"},
		Spec:       v1alpha1.ReleaseActionSpec{TrackName: shop.Name, ReleaseName: "shop-1.0", Action: v1alpha1.ActionRollback, Requester: "jane", Reason: "it is slow"},
	})
	b.now = b.now.Add(copiesFresh)
	b.pass(3)
	action := &v1alpha1.ReleaseAction{}
	b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "back"}, action))
	if b.track().Status.StableReleaseName != "shop-2.0" || action.Status.Outcome != v1alpha1.ActionRefused || !strings.Contains(action.Status.Message, "data[word]") {
		t.Errorf("action is %+v", action.Status)
	}
}
