package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/resources"
)

const fieldManager = "strata"

// A guard is written again so often, each time within peace of the last one, and is then
// left for as long.
const (
	maxRepairs = 3
	peace      = time.Hour
)

// Keeper keeps the guards.
type Keeper struct {
	client client.Client
	// live reads past the cache.
	live      client.Reader
	recorder  events.EventRecorder
	namespace string
	now       func() time.Time
	// served says whether the cluster has a kind.
	served func(schema.GroupVersionKind) bool
	// repaired is what was written again.
	repaired map[string]repairs
	// found is what was told last of a guard, and said the condition of a policy.
	found map[string]*finding
	said  map[string]metav1.Condition
	// unknown is why nobody knows what was installed, as it was told last.
	unknown string
	// actor is the operator's own user name, and owed is what its log lacks.
	actor string
	owed  []owed
}

type repairs struct {
	count int
	last  time.Time
	left  bool
}

// +kubebuilder:rbac:groups="",namespace=strata-system,resources=configmaps,resourceNames=strata-guards,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings;mutatingadmissionpolicies;mutatingadmissionpolicybindings,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=strata-namespaces;strata-releases;strata-reserved-metadata;strata-templates;strata-our-status;strata-held;strata-records;strata-actions;strata-used-actions;strata-crds;strata-deployments;strata-scale;strata-deployments-status;strata-replicasets;strata-replicasets-status;strata-tests;strata-autoscalers;strata-disruptions;strata-bounds-status;strata-children;strata-replicasets-deleted;strata-reserved;strata-pods-status;strata-pods;strata-pods-resize;strata-bindings;strata-images;strata-services;strata-services-status;strata-routes;strata-endpoints;strata-snapshots;strata-seals;strata-interactive;strata-proxies;strata-debug;strata-kubelets;strata-guarded-namespaces;strata-namespace-notes;strata-operator-tokens;strata-operator-secrets;strata-operator-pods;strata-operator-entered,verbs=create;patch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies/status,resourceNames=strata-namespaces;strata-releases;strata-reserved-metadata;strata-templates;strata-our-status;strata-held;strata-records;strata-actions;strata-used-actions;strata-crds;strata-deployments;strata-scale;strata-deployments-status;strata-replicasets;strata-replicasets-status;strata-tests;strata-autoscalers;strata-disruptions;strata-bounds-status;strata-children;strata-replicasets-deleted;strata-reserved;strata-pods-status;strata-pods;strata-pods-resize;strata-bindings;strata-images;strata-services;strata-services-status;strata-routes;strata-endpoints;strata-snapshots;strata-seals;strata-interactive;strata-proxies;strata-debug;strata-kubelets;strata-guarded-namespaces;strata-namespace-notes;strata-operator-tokens;strata-operator-secrets;strata-operator-pods;strata-operator-entered,verbs=patch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingadmissionpolicies;mutatingadmissionpolicybindings,resourceNames=strata-requested-by,verbs=create;patch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,resourceNames=strata,verbs=get;list;watch;create;patch;update

// Setup adds the keeper to a manager whose scheme has admissionregistration/v1. It works
// while this replica leads, and watches by label: what loses that is told of as gone.
// namespace is that of the operator, and actor its user name.
func Setup(mgr ctrl.Manager, namespace, actor string) error {
	mapper := mgr.GetRESTMapper()
	k := &Keeper{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), recorder: mgr.GetEventRecorder("strata"), namespace: namespace, now: time.Now,
		served: func(kind schema.GroupVersionKind) bool {
			_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
			return !meta.IsNoMatchError(err)
		},
		repaired: map[string]repairs{}, found: map[string]*finding{}, said: map[string]metav1.Condition{}, actor: actor,
	}
	named := fields.OneTermEqualSelector("metadata.name", guards.ConfigurationName)
	watched, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mapper,
		DefaultLabelSelector: labels.SelectorFromSet(labels.Set{guards.Label: guards.LabelValue}),
		DefaultTransform:     cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Label: labels.Everything(), Namespaces: map[string]cache.Config{
				namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", guards.InstallationName)},
			}},
			&admissionv1.ValidatingWebhookConfiguration{}: {Field: named, Label: labels.Everything()},
			&admissionv1.MutatingWebhookConfiguration{}:   {Field: named, Label: labels.Everything()},
		},
	})
	if err != nil {
		return fmt.Errorf("watch the guards: %w", err)
	}
	if err := mgr.Add(watched); err != nil {
		return fmt.Errorf("watch the guards: %w", err)
	}
	c, err := controller.New("guards", mgr, controller.Options{Reconciler: k})
	if err != nil {
		return fmt.Errorf("set up the controller of the guards: %w", err)
	}
	all := reconcile.Request{NamespacedName: types.NamespacedName{Name: guards.LabelValue}}
	same := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{all} })
	for _, kind := range []client.Object{
		&corev1.ConfigMap{},
		&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{},
		&admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{},
		&admissionv1.ValidatingWebhookConfiguration{}, &admissionv1.MutatingWebhookConfiguration{},
	} {
		gvk, err := mgr.GetClient().GroupVersionKindFor(kind)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
		if !k.served(gvk) {
			continue
		}
		if err := c.Watch(source.Kind(watched, kind, same)); err != nil {
			return fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return c.Watch(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(all) // Whatever went while nobody looked.
		return nil
	}))
}

// Reconcile compares all guards with what was installed, and writes those again that
// differ. They are read past the cache: there are few, and they rarely change.
func (k *Keeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	wanted, err := k.installed(ctx)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case wanted == nil:
		metrics.ForgetGuardsLeft()
		if k.unknown == "" {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, k.report(ctx)
	}
	left, next := 0, time.Duration(0)
	errs := k.record(ctx)
	for _, guard := range wanted {
		if !k.served(guard.GetObjectKind().GroupVersionKind()) {
			continue
		}
		wait, err := k.keep(ctx, guard)
		errs = errors.Join(errs, err)
		if wait > 0 {
			left++
			if next == 0 || wait < next {
				next = wait
			}
		}
	}
	metrics.SetGuardsLeft(left)
	return reconcile.Result{RequeueAfter: next}, errors.Join(errs, k.report(ctx))
}

// installed are the guards as they were installed; nil where nobody knows, or the
// operator is on its way out with all that is its.
func (k *Keeper) installed(ctx context.Context) ([]client.Object, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := k.live.Get(ctx, client.ObjectKey{Name: k.namespace}, namespace); err != nil || namespace.DeletionTimestamp != nil {
		return nil, client.IgnoreNotFound(err)
	}
	said := &corev1.ConfigMap{}
	err := k.live.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: guards.InstallationName}, said)
	var wanted []client.Object
	why := ""
	switch {
	case apierrors.IsNotFound(err):
		why = fmt.Sprintf("ConfigMap %s/%s is missing: apply config/policies again, and the guards are kept as installed", k.namespace, guards.InstallationName)
	case err != nil:
		return nil, fmt.Errorf("read ConfigMap %s/%s: %w", k.namespace, guards.InstallationName, err)
	default:
		if wanted, err = guards.Installed(said.Data); err != nil {
			why = err.Error()
		}
	}
	if why != "" && why != k.unknown {
		log.FromContext(ctx).Info("The guards are not compared", "reason", why)
		k.recorder.Eventf(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: guards.InstallationName}}, nil,
			corev1.EventTypeWarning, "GuardsNotCompared", "Compare", "%s", resources.Bound(why, maxNote))
	}
	k.unknown = why
	return wanted, nil
}

// maxNote keeps a note within what an event may hold: 1 KiB.
const maxNote = 1000

// keep writes a guard again that is not as installed; wait is for how long one is left
// that was changed too often.
func (k *Keeper) keep(ctx context.Context, wanted client.Object) (wait time.Duration, err error) {
	kind := wanted.GetObjectKind().GroupVersionKind().Kind
	key := kind + " " + wanted.GetName()
	there := wanted.DeepCopyObject().(client.Object)
	err = k.live.Get(ctx, client.ObjectKeyFromObject(wanted), there)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	difference := "it is missing"
	if !missing {
		if difference = resources.Difference(wanted, there, resources.AsSealed); difference == "" {
			k.isRight(key)
			return 0, nil
		}
		writer := resources.Writer(there, difference, fieldManager)
		difference = resources.Bound(difference, maxNote/2) + ", written by " + writer
	}
	known, now := k.repaired[key], k.now()
	since := now.Sub(known.last)
	switch {
	case known.count > 0 && since < peace && known.left:
		k.found[key].differs = true // It may have been put right by hand meanwhile.
		return peace - since, nil
	case known.count >= maxRepairs && since < peace:
		k.repaired[key] = repairs{count: known.count, last: now, left: true}
		k.tell(ctx, wanted, reasonLeft, difference, fmt.Sprintf("%s is not as installed again: %s; it was put right %d times, and is left for %s: stop whoever writes it", key, difference, known.count, peace))
		return peace, k.record(ctx)
	case since >= peace:
		known = repairs{}
	}
	// One that the API server does not let be written is tried again and again, and told once.
	if !k.found[key].tells(reasonChanged, difference) {
		k.tell(ctx, wanted, reasonChanged, difference, fmt.Sprintf("%s is not as installed: %s; it is put right", key, difference))
	}
	// The record comes first, where it can: it may be this guard that keeps it away.
	unrecorded := k.record(ctx)
	if err := k.write(ctx, wanted, there, missing); err != nil {
		return 0, errors.Join(unrecorded, fmt.Errorf("put %s right: %w", key, err))
	}
	k.isRight(key)
	k.repaired[key] = repairs{count: known.count + 1, last: now}
	return 0, unrecorded
}

func (k *Keeper) tell(ctx context.Context, guard client.Object, reason, difference, message string) {
	kind := guard.GetObjectKind().GroupVersionKind().Kind
	log.FromContext(ctx).Info("A guard is not as installed", "reason", reason, "kind", kind, "name", guard.GetName(), "message", message)
	metrics.RecordGuardDrift(kind, guard.GetName())
	k.recorder.Eventf(guard, nil, corev1.EventTypeWarning, reason, "Repair", "%s", resources.Bound(message, maxNote))
	found := &finding{home: home(guard), reason: reason, difference: difference, message: message, at: k.now(), differs: true}
	k.found[kind+" "+guard.GetName()] = found
	k.owe(found)
}

// write replaces what is there, under its resourceVersion, and keeps what is not the
// guard's: its metadata and the authority of a webhook. What is missing is applied, so
// that the operator may create what it may name and nothing else.
func (k *Keeper) write(ctx context.Context, wanted, there client.Object, missing bool) error {
	if missing {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(wanted)
		if err != nil {
			return err
		}
		delete(object, "status")
		if metadata, ok := object["metadata"].(map[string]any); ok {
			delete(metadata, "creationTimestamp")
		}
		return k.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: object}), client.FieldOwner(fieldManager), client.ForceOwnership)
	}
	return k.client.Update(ctx, asInstalled(wanted, there), client.FieldOwner(fieldManager))
}

func asInstalled(wanted, there client.Object) client.Object {
	labels := map[string]string{}
	for _, from := range []map[string]string{there.GetLabels(), wanted.GetLabels()} {
		for key, value := range from {
			labels[key] = value
		}
	}
	there.SetLabels(labels)
	switch o := there.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		o.Spec = wanted.(*admissionv1.ValidatingAdmissionPolicy).Spec
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		o.Spec = wanted.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec
	case *admissionv1.MutatingAdmissionPolicy:
		o.Spec = wanted.(*admissionv1.MutatingAdmissionPolicy).Spec
	case *admissionv1.MutatingAdmissionPolicyBinding:
		o.Spec = wanted.(*admissionv1.MutatingAdmissionPolicyBinding).Spec
	case *admissionv1.ValidatingWebhookConfiguration:
		had := map[string][]byte{}
		for i := range o.Webhooks {
			had[o.Webhooks[i].Name] = o.Webhooks[i].ClientConfig.CABundle
		}
		o.Webhooks = wanted.(*admissionv1.ValidatingWebhookConfiguration).DeepCopy().Webhooks
		for i := range o.Webhooks {
			o.Webhooks[i].ClientConfig.CABundle = had[o.Webhooks[i].Name]
		}
	case *admissionv1.MutatingWebhookConfiguration:
		had := map[string][]byte{}
		for i := range o.Webhooks {
			had[o.Webhooks[i].Name] = o.Webhooks[i].ClientConfig.CABundle
		}
		o.Webhooks = wanted.(*admissionv1.MutatingWebhookConfiguration).DeepCopy().Webhooks
		for i := range o.Webhooks {
			o.Webhooks[i].ClientConfig.CABundle = had[o.Webhooks[i].Name]
		}
	}
	return there
}
