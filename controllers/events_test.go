package controllers

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Two uses that come before the action is written again are alike but for their records,
// and whoever records events makes one of what is alike.
func TestEveryUseIsAnEventOfItsOwn(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stored := fake.NewClientset().EventsV1()
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: stored})
	if err := broadcaster.StartRecordingToSinkWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer broadcaster.Shutdown()

	action := &v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "glass", UID: "1", ResourceVersion: "7"},
		Spec:       v1alpha1.ReleaseActionSpec{TrackName: "shop", Action: v1alpha1.ActionBreakGlass},
	}
	use := func(sequence int64) *v1alpha1.ReleaseRecordSpec {
		return &v1alpha1.ReleaseRecordSpec{
			Sequence: sequence, Release: &v1alpha1.RecordedRelease{Name: "shop-1"}, Reason: rollout.ReasonEntered,
			Actor: "jane", Message: "Exec: container app of pod web-1",
		}
	}
	loop := &TrackReconciler{recorder: broadcaster.NewRecorder(scheme, "strata")}
	loop.tell(action, actionNotices(action, []*v1alpha1.ReleaseRecordSpec{use(10), use(11)}))

	told := map[string]bool{}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		list, err := stored.Events("shop").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for i := range list.Items {
			if related := list.Items[i].Related; related != nil {
				told[related.Kind+" "+related.Name] = true
			}
		}
		return len(told) == 2, nil
	})
	if err != nil || !told["ReleaseRecord shop-000010"] || !told["ReleaseRecord shop-000011"] {
		t.Errorf("two uses are told as %v: %v", told, err)
	}
}
