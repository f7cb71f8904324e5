package upkeep

import (
	"context"
	"errors"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/controllers/admission/guards"
)

// keeper of guards that are all there, with what was said of the installation.
func keeper(t *testing.T, said map[string]string, also ...client.Object) *Keeper {
	t.Helper()
	installed, err := guards.Installed(said)
	if err != nil {
		t.Fatal(err)
	}
	objects := append(installed, also...)
	objects = append(objects,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guards.Namespace}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: guards.Namespace, Name: guards.InstallationName}, Data: said},
	)
	c := fake.NewClientBuilder().WithObjects(objects...).Build()
	return &Keeper{
		client: c, live: c, recorder: events.NewFakeRecorder(1000), namespace: guards.Namespace, now: time.Now,
		served: func(schema.GroupVersionKind) bool { return true }, repaired: map[string]repairs{}, told: map[string]string{},
	}
}

func (k *Keeper) look(t *testing.T) time.Duration {
	t.Helper()
	result, err := k.Reconcile(t.Context(), reconcile.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return result.RequeueAfter
}

func policy(t *testing.T, k *Keeper, change func(*admissionv1.ValidatingAdmissionPolicy)) *admissionv1.ValidatingAdmissionPolicy {
	t.Helper()
	p := &admissionv1.ValidatingAdmissionPolicy{}
	if err := k.client.Get(t.Context(), client.ObjectKey{Name: "strata-seals"}, p); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
		if err := k.client.Update(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func weaken(p *admissionv1.ValidatingAdmissionPolicy) {
	ignore := admissionv1.Ignore
	p.Spec.FailurePolicy = &ignore
}

// TestInstalledIsLeft: an installation with its own words costs no write and no event.
func TestInstalledIsLeft(t *testing.T) {
	for name, said := range map[string]map[string]string{
		"as built":    nil,
		"an overlay":  {"operator": "request.userInfo.username == 'outside'", "webhookURL": "https://10.0.0.1:9443"},
		"another one": {"controller": "request.userInfo.username == 'all'", "restorer": "request.userInfo.username == 'velero'"},
	} {
		k := keeper(t, said)
		before := policy(t, k, nil).ResourceVersion
		if wait := k.look(t); wait != 0 || len(k.recorder.(*events.FakeRecorder).Events) != 0 || policy(t, k, nil).ResourceVersion != before {
			t.Errorf("%s: looks again after %s, and told %d events", name, wait, len(k.recorder.(*events.FakeRecorder).Events))
		}
	}
}

// TestChangedThriceIsLeft: the fourth time within the hour a guard is left; an hour later
// it is put right.
func TestChangedThriceIsLeft(t *testing.T) {
	k, now := keeper(t, nil), time.Now()
	k.now = func() time.Time { return now }
	for range maxRepairs {
		policy(t, k, weaken)
		if wait := k.look(t); wait != 0 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Fail {
			t.Fatalf("it was not put right: %s", wait)
		}
		now = now.Add(time.Minute)
	}
	policy(t, k, weaken)
	for range 2 {
		if wait := k.look(t); wait <= 0 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Ignore {
			t.Fatalf("it was put right a fourth time: %s", wait)
		}
		now = now.Add(time.Minute)
	}
	now = now.Add(peace)
	if wait := k.look(t); wait != 0 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Fail {
		t.Fatalf("it was not put right after an hour: %s", wait)
	}
}

// TestNobodySaysWhatWasInstalled: nothing is touched, and that is told once.
func TestNobodySaysWhatWasInstalled(t *testing.T) {
	for name, change := range map[string]func(context.Context, *Keeper, *corev1.ConfigMap) error{
		"the ConfigMap is missing": func(ctx context.Context, k *Keeper, said *corev1.ConfigMap) error { return k.client.Delete(ctx, said) },
		"it has another key": func(ctx context.Context, k *Keeper, said *corev1.ConfigMap) error {
			said.Data = map[string]string{"operater": "true"}
			return k.client.Update(ctx, said)
		},
	} {
		k := keeper(t, nil)
		said := &corev1.ConfigMap{}
		if err := k.client.Get(t.Context(), client.ObjectKey{Namespace: guards.Namespace, Name: guards.InstallationName}, said); err != nil {
			t.Fatal(err)
		}
		if err := change(t.Context(), k, said); err != nil {
			t.Fatal(err)
		}
		policy(t, k, weaken)
		k.look(t)
		k.look(t)
		if told := len(k.recorder.(*events.FakeRecorder).Events); told != 1 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Ignore {
			t.Errorf("%s: %d events", name, told)
		}
	}
}

// TestWhatIsMissingIsMade, and the authority of a webhook is kept.
func TestWhatIsMissingIsMade(t *testing.T) {
	k := keeper(t, nil)
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-seals"}}
	if err := k.client.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	config := &admissionv1.ValidatingWebhookConfiguration{}
	key := client.ObjectKey{Name: guards.ConfigurationName}
	if err := k.client.Get(t.Context(), key, config); err != nil {
		t.Fatal(err)
	}
	for i := range config.Webhooks {
		config.Webhooks[i].ClientConfig.CABundle = []byte(config.Webhooks[i].Name)
	}
	config.Webhooks = config.Webhooks[1:]
	if err := k.client.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	k.look(t)
	if err := k.client.Get(t.Context(), client.ObjectKeyFromObject(binding), binding); apierrors.IsNotFound(err) || err != nil {
		t.Error(err)
	}
	if err := k.client.Get(t.Context(), key, config); err != nil {
		t.Fatal(err)
	}
	if len(config.Webhooks) != len(guards.Webhooks()) || len(config.Webhooks[0].ClientConfig.CABundle) != 0 {
		t.Errorf("%d webhooks", len(config.Webhooks))
	}
	for _, webhook := range config.Webhooks[1:] {
		if string(webhook.ClientConfig.CABundle) != webhook.Name {
			t.Errorf("%s lost its authority", webhook.Name)
		}
	}
}

// TestRefusedWriteIsToldOnce, until something else is wrong, or it was put right.
func TestRefusedWriteIsToldOnce(t *testing.T) {
	k := keeper(t, nil)
	c, refused := k.client.(client.WithWatch), true
	k.client = interceptor.NewClient(c, interceptor.Funcs{Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
		if object.GetName() == "strata-seals" && refused {
			return errors.New("no")
		}
		return c.Update(ctx, object, options...)
	}})
	change := func(do func(*admissionv1.ValidatingAdmissionPolicy)) {
		t.Helper()
		refused = false
		policy(t, k, do)
		refused = true
	}
	told := func() int { return len(k.recorder.(*events.FakeRecorder).Events) }
	change(weaken)
	for range 3 {
		if _, err := k.Reconcile(t.Context(), reconcile.Request{}); err == nil || told() != 1 {
			t.Errorf("%v, and told %d times", err, told())
		}
	}
	change(func(p *admissionv1.ValidatingAdmissionPolicy) {
		p.Spec.Validations[0].Expression = "true"
		fail := admissionv1.Fail
		p.Spec.FailurePolicy = &fail
	})
	if _, err := k.Reconcile(t.Context(), reconcile.Request{}); err == nil || told() != 2 {
		t.Errorf("%v, and told %d times of another difference", err, told())
	}
	refused = false
	k.look(t)
	policy(t, k, weaken)
	k.look(t)
	if told() != 3 {
		t.Errorf("told %d times after it was put right, and changed again", told())
	}
}
