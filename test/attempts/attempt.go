package attempts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// World is a release that runs and is held, in a namespace that is guarded, with one
// component named web. A name that is "" is of something that is not there: nothing
// is tried on it.
type World struct {
	Namespace, Track, Release string
	// ReplicaSet and Pod are the component's.
	ReplicaSet, Pod string
	// Tested is the release of which a test runs; Job and JobPod are the test's.
	Tested, Job, JobPod string
	// ConfigMap and Secret are copies of configuration.
	ConfigMap, Secret string
	// Route is the HTTPRoute, StableService the Service of a route of type Service.
	Route, StableService string
	// Ingress is a route too, and so are TraefikService and VirtualService.
	Ingress, TraefikService, VirtualService string
	// EndpointSlice is one of the component's Service.
	EndpointSlice string
	Record        string
	Node          string
	// OperatorPod runs in the operator's namespace.
	OperatorPod string
	// Explained: the webhook answers, and so nothing may be refused as invalid.
	Explained bool

	// config is the cluster administrator's.
	config  *rest.Config
	dynamic dynamic.Interface
	typed   kubernetes.Interface
}

// Connect lets the attempts be made as the holder of config.
func (w *World) Connect(config *rest.Config) error {
	var err error
	// What is attempted is deprecated here and there: thousands of warnings tell nobody anything.
	w.config = rest.CopyConfig(config)
	w.config.WarningHandler = rest.NoWarnings{}
	if w.dynamic, err = dynamic.NewForConfig(w.config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if w.typed, err = kubernetes.NewForConfig(w.config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	return nil
}

// child is the name of the component's Deployment, Service, autoscaler and budget.
func (w *World) child() string { return w.Release + "-web" }

// object is something that is stored.
type object struct {
	resource        schema.GroupVersionResource
	kind            string
	namespace, name string
}

func (o object) String() string { return o.resource.Resource + "/" + o.name }

func (w *World) objects(o object) dynamic.ResourceInterface {
	if o.namespace == "" {
		return w.dynamic.Resource(o.resource)
	}
	return w.dynamic.Resource(o.resource).Namespace(o.namespace)
}

func (w *World) get(ctx context.Context, o object) (*unstructured.Unstructured, error) {
	live, err := w.objects(o).Get(ctx, o.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", o, err)
	}
	return live, nil
}

// Attempt is one way to change what runs.
type Attempt struct {
	// Row is the route of the table, What the way that is tried.
	Row, What string
	// rules are those that may refuse it.
	rules []string
	// mentions must stand in the refusal: the release.
	mentions string
	// invalid: the API's own validation may refuse it before any policy is asked, where
	// nobody explains it.
	invalid bool
	// nothing: it may do nothing at all, and is then let through by the policies.
	nothing bool
	// of is what must be unchanged afterwards; nil for a creation and a connection.
	of *object
	// try makes the request; or edit does, to what is live.
	try  func(ctx context.Context, dryRun []string) error
	edit func(ctx context.Context, live *unstructured.Unstructured, dryRun []string) error
}

// Rules are the rules that may refuse it, by their IDs.
func (a *Attempt) Rules() []string { return a.rules }

// MayBeInvalid says whether the API server may refuse it by its own validation, before any
// policy is asked, while the webhook is away.
func (a *Attempt) MayBeInvalid() bool { return a.invalid }

func (a *Attempt) String() string { return a.Row + ": " + a.What }

// way is how a refusal tells the route: the operation, and of what.
var way = regexp.MustCompile(`\((CREATE|UPDATE|DELETE|CONNECT) [a-z]+(/[a-z]+)?\)`)

// Run tries it as a dry run and then in earnest. It returns nil where both are refused
// with a 403 that names a rule of the row, the release and the route, and nothing has
// changed; else what is wrong.
func (w *World) Run(ctx context.Context, a *Attempt) error {
	if err := w.run(ctx, a); err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	return nil
}

// RunAll makes all attempts and returns what is wrong. What may be let through, for it
// does nothing, leaves a note of itself, and comes first, one by one; the others a few
// at a time: what is refused is in nobody's way.
func (w *World) RunAll(ctx context.Context, all []Attempt) []string {
	alone, together := []*Attempt{}, []*Attempt{}
	for i := range all {
		if all[i].nothing {
			alone = append(alone, &all[i])
		} else {
			together = append(together, &all[i])
		}
	}
	return append(w.workOn(ctx, alone, 1), w.workOn(ctx, together, 4)...)
}

func (w *World) workOn(ctx context.Context, all []*Attempt, workers int) []string {
	errs := make([]error, len(all))
	var next atomic.Int64
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
				errs[i] = w.Run(ctx, all[i])
			}
		})
	}
	working.Wait()
	var wrong []string
	for _, err := range errs {
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}

func (w *World) run(ctx context.Context, a *Attempt) error {
	var before *unstructured.Unstructured
	var err error
	if a.of != nil {
		if before, err = w.get(ctx, *a.of); err != nil {
			return err
		}
	}
	admitted := false
	for _, dryRun := range [][]string{{metav1.DryRunAll}, nil} {
		err := w.send(ctx, a, before, dryRun)
		// What is let through is told to the webhook, which may be away.
		if a.nothing && (err == nil || apierrors.IsInternalError(err)) {
			admitted = true
		} else if err := a.refused(err, w.Explained); err != nil {
			return fmt.Errorf("dry run %v: %w", dryRun != nil, err)
		}
	}
	if a.of == nil {
		return nil
	}
	after, err := w.get(ctx, *a.of)
	if err != nil {
		return err
	}
	return unchanged(before, after, admitted)
}

// send makes the request, again where somebody else wrote the object meanwhile.
func (w *World) send(ctx context.Context, a *Attempt, live *unstructured.Unstructured, dryRun []string) error {
	for tries := 0; ; tries++ {
		var err error
		if a.try != nil {
			err = a.try(ctx, dryRun)
		} else {
			err = a.edit(ctx, live, dryRun)
		}
		if !apierrors.IsConflict(err) || tries == 20 || a.of == nil {
			return err
		}
		if live, err = w.get(ctx, *a.of); err != nil {
			return err
		}
	}
}

// refused says what is wrong with an answer, nil for nothing.
func (a *Attempt) refused(err error, explained bool) error {
	switch {
	case err == nil:
		return errors.New("it was not refused")
	case a.invalid && !explained && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)):
		return nil
	case !apierrors.IsForbidden(err):
		return fmt.Errorf("it was not refused with a 403: %w", err)
	case !slices.ContainsFunc(a.rules, func(rule string) bool { return strings.Contains(err.Error(), rule+": ") }):
		return fmt.Errorf("it was not refused by %s: %w", strings.Join(a.rules, " or "), err)
	case !strings.Contains(err.Error(), a.mentions):
		return fmt.Errorf("the refusal does not mention %s: %w", a.mentions, err)
	case !way.MatchString(err.Error()):
		return fmt.Errorf("the refusal does not tell the route: %w", err)
	}
	return nil
}

// unchanged compares all of an object but what its controllers report of it. A request
// that was admitted because it does nothing may have left a note of who made it.
func unchanged(before, after *unstructured.Unstructured, admitted bool) error {
	if before.GetResourceVersion() == after.GetResourceVersion() {
		return nil
	}
	if !admitted && reflect.DeepEqual(before.Object["status"], after.Object["status"]) && before.GetKind() != "Endpoints" && before.GetKind() != "EndpointSlice" {
		return fmt.Errorf("its resourceVersion changed from %s to %s", before.GetResourceVersion(), after.GetResourceVersion())
	}
	was, is := written(before), written(after)
	if !reflect.DeepEqual(was, is) {
		return fmt.Errorf("it was changed: %s is now %s", text(was), text(is))
	}
	return nil
}

// written is an object without what the API server and its controllers note.
func written(live *unstructured.Unstructured) map[string]any {
	kept := live.DeepCopy().Object
	delete(kept, "status")
	metadata := kept["metadata"].(map[string]any)
	for _, field := range []string{"resourceVersion", "managedFields"} {
		delete(metadata, field)
	}
	return kept
}

func text(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Attempts are all ways, in the order of the table.
func (w *World) Attempts() []Attempt {
	return slices.Concat(w.ourKinds(), w.children(), w.podWrites(), w.interactive(), w.traffic(), w.copies(), w.cluster())
}
