package upkeep

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/ledger"
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
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&admissionv1.ValidatingAdmissionPolicy{}).Build()
	return &Keeper{
		client: c, live: c, recorder: events.NewFakeRecorder(1000), namespace: guards.Namespace, now: time.Now,
		served: func(schema.GroupVersionKind) bool { return true }, repaired: map[string]repairs{}, found: map[string]*finding{}, said: map[string]metav1.Condition{},
		actor: "system:serviceaccount:strata-system:strata",
	}
}

// records of the guards' log, which is whole.
func (k *Keeper) records(t *testing.T) []v1alpha1.ReleaseRecord {
	t.Helper()
	var list v1alpha1.ReleaseRecordList
	if err := k.live.List(t.Context(), &list, client.InNamespace(k.namespace)); err != nil {
		t.Fatal(err)
	}
	if broken := ledger.Read(list.Items).Broken; broken != "" {
		t.Error(broken)
	}
	return list.Items
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

// says is the condition of a policy: its status, reason and message.
func (k *Keeper) says(t *testing.T, name string) string {
	t.Helper()
	p := &admissionv1.ValidatingAdmissionPolicy{}
	if err := k.live.Get(t.Context(), client.ObjectKey{Name: name}, p); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == v1alpha1.ConditionDrifted && c.ObservedGeneration == p.Generation {
			return string(c.Status) + " " + c.Reason + " " + c.Message
		}
	}
	return "nothing"
}

// restarted is a keeper that knows nothing of what this one did.
func (k *Keeper) restarted() *Keeper {
	return &Keeper{
		client: k.client, live: k.live, recorder: k.recorder, namespace: k.namespace, now: k.now, served: k.served, actor: k.actor,
		repaired: map[string]repairs{}, found: map[string]*finding{}, said: map[string]metav1.Condition{},
	}
}

// TestInstalledIsLeft: an installation with its own words costs no event, and no write but
// that of each policy which says so, once.
func TestInstalledIsLeft(t *testing.T) {
	for name, said := range map[string]map[string]string{
		"as built":    nil,
		"an overlay":  {"operator": "request.userInfo.username == 'outside'", "webhookURL": "https://10.0.0.1:9443"},
		"another one": {"controller": "request.userInfo.username == 'all'", "restorer": "request.userInfo.username == 'velero'"},
	} {
		k := keeper(t, said)
		k.look(t)
		if says := k.says(t, "strata-seals"); says != "False AsInstalled everything is as installed" {
			t.Errorf("%s: %s", name, says)
		}
		before := policy(t, k, nil).ResourceVersion
		k.restarted().look(t)
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
		if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "False Repaired ") {
			t.Error(says)
		}
		now = now.Add(time.Minute)
	}
	policy(t, k, weaken)
	for range 2 {
		if wait := k.look(t); wait <= 0 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Ignore {
			t.Fatalf("it was put right a fourth time: %s", wait)
		}
		if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "True ChangedAgain ValidatingAdmissionPolicy strata-seals is not as installed again: spec.failurePolicy") ||
			!strings.HasSuffix(says, "stop whoever writes it; see ReleaseRecord strata-guards-000004") {
			t.Error(says)
		}
		now = now.Add(time.Minute)
	}
	policy(t, k, func(p *admissionv1.ValidatingAdmissionPolicy) {
		fail := admissionv1.Fail
		p.Spec.FailurePolicy = &fail
	})
	k.look(t)
	if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "False Repaired ") {
		t.Errorf("put right by hand: %s", says)
	}
	policy(t, k, weaken)
	k.look(t)
	if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "True ChangedAgain ") {
		t.Errorf("changed again: %s", says)
	}
	now = now.Add(peace)
	if wait := k.look(t); wait != 0 || *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Fail {
		t.Fatalf("it was not put right after an hour: %s", wait)
	}
	var told []string
	for _, record := range k.records(t) {
		told = append(told, record.Spec.Reason)
	}
	if want := []string{"GuardChanged", "GuardChanged", "GuardChanged", "GuardLeft", "GuardChanged"}; !slices.Equal(told, want) {
		t.Errorf("recorded %s, not %s", told, want)
	}
}

// TestRecordedBeforeItIsPutRight: who, what and where; and a guard that keeps its record
// away, or the answer to it, is put right all the same and recorded once.
func TestRecordedBeforeItIsPutRight(t *testing.T) {
	for name, create := range map[string]func(ctx context.Context, c client.WithWatch, weak bool, object client.Object) error{
		"as it is": func(ctx context.Context, c client.WithWatch, weak bool, object client.Object) error {
			if !weak {
				t.Error("the record came after the repair")
			}
			return c.Create(ctx, object)
		},
		"the guard keeps it away": func(ctx context.Context, c client.WithWatch, weak bool, object client.Object) error {
			if weak {
				return errors.New("no")
			}
			return c.Create(ctx, object)
		},
		"the answer is lost": func(ctx context.Context, c client.WithWatch, weak bool, object client.Object) error {
			if err := c.Create(ctx, object); err != nil || !weak {
				return err
			}
			return errors.New("no answer")
		},
	} {
		k := keeper(t, nil)
		k.client = interceptor.NewClient(k.client.(client.WithWatch), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, object client.Object, _ ...client.CreateOption) error {
				return create(ctx, c, *policy(t, k, nil).Spec.FailurePolicy == admissionv1.Ignore, object)
			},
		})
		policy(t, k, weaken)
		if _, err := k.Reconcile(t.Context(), reconcile.Request{}); (err != nil) != (name != "as it is") {
			t.Errorf("%s: %v", name, err)
		}
		if *policy(t, k, nil).Spec.FailurePolicy != admissionv1.Fail {
			t.Errorf("%s: it was not put right", name)
		}
		k.look(t)
		records := k.records(t)
		if len(records) != 1 {
			t.Fatalf("%s: %d records", name, len(records))
		}
		is := &records[0].Spec
		if is.Event != v1alpha1.EventDrift || is.Actor != k.actor || !strings.Contains(is.Message, "ValidatingAdmissionPolicy strata-seals is not as installed: spec.failurePolicy") {
			t.Errorf("%s: %s %s by %s", name, is.Event, is.Message, is.Actor)
		}
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
		if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "Unknown NotCompared ConfigMap strata-system/strata-guards") {
			t.Errorf("%s: %s", name, says)
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
		if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "True Changed ValidatingAdmissionPolicy strata-seals is not as installed: spec.failurePolicy") {
			t.Error(says)
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

// TestConditionStandsOnThePolicyConcerned: what differed, and its record; others say nothing
// of it.
func TestConditionStandsOnThePolicyConcerned(t *testing.T) {
	for name, c := range map[string]struct {
		guard client.Object
		home  string
	}{
		"a policy":             {&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "strata-seals"}}, "strata-seals"},
		"a binding":            {&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-seals"}}, "strata-seals"},
		"the webhooks":         {&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: guards.ConfigurationName}}, "strata-releases"},
		"those that explain":   {&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: guards.ConfigurationName}}, "strata-releases"},
		"the stamp":            {&admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "strata-requested-by"}}, "strata-releases"},
		"the stamp's binding":  {&admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-requested-by"}}, "strata-releases"},
		"a policy before that": {&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "strata-releases"}}, "strata-releases"},
	} {
		t.Run(name, func(t *testing.T) {
			k := keeper(t, nil)
			k.look(t)
			if err := k.client.Delete(t.Context(), c.guard); err != nil {
				t.Fatal(err)
			}
			k.look(t)
			want := " " + c.guard.GetName() + " is not as installed: it is missing; it is put right; see ReleaseRecord strata-guards-000001"
			for _, binding := range guards.Bindings() {
				says := k.says(t, binding.Name)
				if binding.Name == c.home && (!strings.HasPrefix(says, "False Repaired everything is as installed again: ") || !strings.HasSuffix(says, want)) ||
					binding.Name != c.home && says != "False AsInstalled everything is as installed" {
					t.Errorf("%s says %s", binding.Name, says)
				}
			}
		})
	}
}

// TestConditionOutlivesTheLeader, and what somebody else writes there does not stand.
func TestConditionOutlivesTheLeader(t *testing.T) {
	k := keeper(t, nil)
	c, refused := k.client.(client.WithWatch), true
	k.client = interceptor.NewClient(c, interceptor.Funcs{Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
		if refused {
			return errors.New("no")
		}
		return c.Update(ctx, object, options...)
	}})
	p := policy(t, k, nil)
	weaken(p)
	if err := c.Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Reconcile(t.Context(), reconcile.Request{}); err == nil {
		t.Error("it was written")
	}
	if says := k.says(t, "strata-seals"); !strings.HasPrefix(says, "True Changed") {
		t.Error(says)
	}
	// Somebody puts it right while nobody leads.
	p = policy(t, k, nil)
	fail := admissionv1.Fail
	p.Spec.FailurePolicy = &fail
	if err := c.Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	refused = false
	k = k.restarted()
	k.look(t)
	repaired := k.says(t, "strata-seals")
	if !strings.HasPrefix(repaired, "False Repaired everything is as installed again: ValidatingAdmissionPolicy strata-seals is not as installed: spec.failurePolicy") {
		t.Error(repaired)
	}
	k = k.restarted()
	k.look(t)
	if says := k.says(t, "strata-seals"); says != repaired {
		t.Error(says)
	}
	p = policy(t, k, nil)
	p.Status.Conditions[0].Message = "all is well"
	if err := k.client.Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	k.look(t)
	if says := k.says(t, "strata-seals"); says != repaired {
		t.Error(says)
	}
}
