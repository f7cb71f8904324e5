package plugin

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/operator"
)

// A verdict that the track has not been told of, or that is the one of the attempt before, ends
// no wait: whoever waited looks at the track next.
func TestWaitEndsWhenTheTrackKnowsToo(t *testing.T) {
	scheme, err := operator.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	track := &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}
	track.Status.CandidateReleaseName = "shop-2"
	release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-2", UID: "2"}, Spec: v1alpha1.ImmutableReleaseSpec{TrackName: "shop"}}
	release.Status.LastVerdict, release.Status.Attempt = v1alpha1.EventFailed, 1
	release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "Failed", Message: "the basket is empty"}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(track, release).WithStatusSubresource(track, release).Build()
	var said bytes.Buffer
	s := &session{Options: Options{Streams: genericiooptions.IOStreams{Out: &said, ErrOut: &said}}, client: c, namespace: "shop"}

	ended := make(chan error, 1)
	go func() { ended <- s.awaitPromotion(t.Context(), "shop", "shop-2", time.Minute) }()
	select {
	case err := <-ended:
		t.Fatalf("ended while the track still names it its candidate: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(track), track); err != nil {
		t.Fatal(err)
	}
	track.Status.CandidateReleaseName = ""
	if err := c.Status().Update(t.Context(), track); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "attempt 1 ended as Failed: the basket is empty") {
		t.Errorf("it ended with %v", err)
	}
}
