package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// A budget may keep a pod for ever, and keeps nothing else; what is refused otherwise
// keeps everything from being taken away.
func TestBudgetKeepsNothingElseWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		refusal error
		gone    bool
	}{
		"a budget":       {apierrors.NewTooManyRequests("it would violate the budget", 0), true},
		"another reason": {errors.New("it is refused"), false},
	} {
		scheme := runtime.NewScheme()
		for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
			if err := add(scheme); err != nil {
				t.Fatal(err)
			}
		}
		drifted := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "drifted", UID: "1"}}
		entered := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "entered", UID: "2"}}
		api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&drifted, &entered).WithInterceptorFuncs(interceptor.Funcs{
			SubResourceCreate: func(context.Context, client.Client, string, client.Object, client.Object, ...client.SubResourceCreateOption) error {
				return test.refusal
			},
		}).Build()
		loop := New(api, api, nil, Options{})
		w := &world{key: shop, note: loop.notes.of(shop)}
		w.Namespace, w.TrackName = shop.Namespace, shop.Name
		w.children.pods = map[podGroup][]*corev1.Pod{{}: {&drifted}}
		err := loop.apply(t.Context(), w, []rollout.Action{rollout.ReplacePod{Release: "shop-1", Name: "drifted"}, rollout.DeletePod{Name: "entered", UID: "2"}})
		if err == nil || !strings.Contains(err.Error(), test.refusal.Error()) {
			t.Errorf("%s: %v", name, err)
		}
		err = api.Get(t.Context(), client.ObjectKeyFromObject(&entered), &corev1.Pod{})
		if apierrors.IsNotFound(err) != test.gone {
			t.Errorf("%s: the pod that was entered: %v", name, err)
		}
	}
}
