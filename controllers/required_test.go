package controllers

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/oci"
)

// promotedIn is the only record of a log in another namespace: it promotes a version.
func promotedIn(namespace, version, content string) *v1alpha1.ReleaseRecord {
	release := &v1alpha1.RecordedRelease{Name: "shop-" + version, UID: "there", Version: version, Attempt: 1, ContentDigest: content, CreationTime: metav1.NewTime(noon)}
	state := v1alpha1.TrackState{Stable: &v1alpha1.ReleaseRef{Name: release.Name, UID: release.UID, Version: version}}
	return ledger.Record(namespace, ledger.Chain(shop.Name, nil, rollout.Entry{
		Event: v1alpha1.EventPromoted, Reason: "GatesHold", Message: "promoted", Actor: "strata", Release: release, State: state,
	}, noon))
}

// A release waits, sealed and without a pod, for its content to be promoted on a track
// of another namespace; whose verdicts ask for the tracks that require it, and no other.
func TestRequiredTrack(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	track := b.track()
	track.Spec.Requires = []v1alpha1.RequiredTrack{{Namespace: "staging", TrackName: shop.Name}}
	b.must(b.api.Update(t.Context(), track))
	b.publish("2.0")
	b.writes = nil
	b.pass(8)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True NotPublishedThere", "staging/shop")
	b.expect("shop-2.0", v1alpha1.ConditionReady, "False NotPublishedThere", "staging/shop")
	b.expect("shop-2.0", v1alpha1.ConditionSealed, "True Sealed", "")
	if n := b.count("Deployment") + b.count("v1.Service shop-2.0"); n != 0 {
		t.Errorf("it has cost something already: %v", b.writes)
	}

	release := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(t.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "shop-2.0"}, release))
	promoted := promotedIn("staging", "2.0", release.Status.ContentDigest)
	forged := promoted.DeepCopy()
	forged.Spec.Message = "promoted, somebody says"
	b.store(forged)
	b.pass(12)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True RequiredTrackUnread", "staging/shop")
	b.must(b.api.Delete(t.Context(), forged))

	if asked := requiring(t.Context(), b.api, promoted); len(asked) != 1 || asked[0].NamespacedName != shop {
		t.Errorf("asks for %v", asked)
	}
	if asked := requiring(t.Context(), b.api, promotedIn("elsewhere", "2.0", "")); len(asked) != 0 {
		t.Errorf("asks for %v, which do not require it", asked)
	}
	b.store(promoted)
	b.settle("shop-2.0")
}

// Of a track elsewhere counts what was signed there, and never a log of this cluster.
func TestSignedPromotion(t *testing.T) {
	key := oci.NewKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ledger.NewSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	track := b.track()
	track.Spec.Requires = []v1alpha1.RequiredTrack{{Namespace: "staging", TrackName: shop.Name, PublicKey: oci.PublicPEM(t, key)}}
	b.must(b.api.Update(t.Context(), track))
	b.store(promotedIn("staging", "2.0", "sha256:whatever"))
	b.publish("2.0")
	b.pass(8)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True NotProvenThere", "none of it")
	release := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(t.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "shop-2.0"}, release))
	promotion, err := signer.SignPromotion(v1alpha1.SignedPromotion{
		Namespace: "staging", TrackName: shop.Name, ContentDigest: release.Status.ContentDigest, Sequence: 7, Digest: "sha256:record", Time: metav1.NewTime(noon),
	})
	b.must(err)
	// Admission lets nobody do so: a spec is frozen.
	release.Spec.Promotions = []v1alpha1.SignedPromotion{promotion}
	b.must(b.api.Update(t.Context(), release))
	b.settle("shop-2.0")
}

// The watch is for what can change whether something counts as promoted.
func TestWatchRequired(t *testing.T) {
	watch := WatchRequired(nil)
	for kind, want := range map[v1alpha1.RecordEvent]bool{
		v1alpha1.EventPromoted: true, v1alpha1.EventRolledBack: true, v1alpha1.EventFailed: true, v1alpha1.EventAdopted: true,
		v1alpha1.EventWeightSet: false, v1alpha1.EventTestFinished: false, v1alpha1.EventAttemptOpened: false,
	} {
		var record client.Object = &v1alpha1.ReleaseRecord{Spec: v1alpha1.ReleaseRecordSpec{Event: kind}}
		for _, p := range watch.Predicates {
			if p.Create(event.CreateEvent{Object: record}) != want {
				t.Errorf("%s: %t", kind, !want)
			}
		}
	}
}
