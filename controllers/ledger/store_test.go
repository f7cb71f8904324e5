package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
)

func cluster(t *testing.T, funcs interceptor.Funcs) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(funcs).Build()
}

func TestAppendAndConfirm(t *testing.T) {
	ctx, c := context.Background(), cluster(t, interceptor.Funcs{})
	if err := Confirm(ctx, c, "shop", "shop", nil); err != nil {
		t.Fatal(err)
	}
	first := Chain("shop", nil, entry(v1alpha1.EventAttemptOpened, "1.0.0", 1), start)
	record, err := Append(ctx, c, "shop", first)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{v1alpha1.LabelTrack: "shop", v1alpha1.LabelRelease: "shop-1-0-0", v1alpha1.LabelVersion: "1.0.0"}
	if diff := cmp.Diff(want, record.Labels); diff != "" || len(record.OwnerReferences) > 0 {
		t.Errorf("metadata %+v:\n%s", record.ObjectMeta, diff)
	}
	if err := Confirm(ctx, c, "shop", "shop", nil); !errors.Is(err, ErrLost) {
		t.Errorf("confirm an empty log: %v, want ErrLost", err)
	}
	if err := Confirm(ctx, c, "shop", "shop", &first); err != nil {
		t.Errorf("confirm the newest record: %v", err)
	}
	second := Chain("shop", &first, entry(v1alpha1.EventWeightSet, "", 0), start)
	if _, err := Append(ctx, c, "shop", second); err != nil {
		t.Fatal(err)
	}
	rival := Chain("shop", &first, entry(v1alpha1.EventFailed, "1.0.0", 1), start)
	if _, err := Append(ctx, c, "shop", rival); !errors.Is(err, ErrLost) {
		t.Errorf("append a second record 2: %v, want ErrLost", err)
	}
	if err := Confirm(ctx, c, "shop", "shop", &first); !errors.Is(err, ErrLost) {
		t.Errorf("confirm an older record: %v, want ErrLost", err)
	}
	list := &v1alpha1.ReleaseRecordList{}
	if err := c.List(ctx, list, client.InNamespace("shop")); err != nil {
		t.Fatal(err)
	}
	log := Read(list.Items)
	if log.Broken != "" || log.Head.Digest != second.Digest || log.Count != 2 {
		t.Errorf("log %+v", log)
	}
}

func TestErrorsOfTheServerAreNotALostRace(t *testing.T) {
	ctx, down := context.Background(), errors.New("connection refused")
	c := cluster(t, interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return down },
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		},
	})
	_, err := Append(ctx, c, "shop", Chain("shop", nil, entry(v1alpha1.EventAdopted, "", 0), start))
	if !errors.Is(err, down) || errors.Is(err, ErrLost) {
		t.Errorf("append: %v", err)
	}
	if err := Confirm(ctx, c, "shop", "shop", nil); !errors.Is(err, down) || errors.Is(err, ErrLost) {
		t.Errorf("confirm: %v", err)
	}
}

func TestRecordAboutTheTrack(t *testing.T) {
	record := Record("shop", Chain("shop", nil, entry(v1alpha1.EventRefused, "", 0), start))
	want := metav1.ObjectMeta{Name: "shop-000001", Namespace: "shop", Labels: map[string]string{v1alpha1.LabelTrack: "shop"}}
	if diff := cmp.Diff(want, record.ObjectMeta); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}
