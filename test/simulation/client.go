package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// connection is how a process reaches the API server: reads come from its cache, or
// live from the server; writes go to the server. Before each request that leaves the
// process it pauses, and anything may happen meanwhile. A call that the loop was
// never known to make meets the interface that is nil.
type connection struct {
	client.Client
	p    *process
	live bool
}

var errLost = errors.New("http2: client connection lost")

func (c connection) Get(_ context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	if c.live {
		if err := c.p.leave("get"); err != nil {
			return err
		}
	}
	switch o := into.(type) {
	case *unstructured.Unstructured:
		switch o.GetKind() {
		case tracks.String():
			return c.getStored(tracks, key.Name, o)
		case releases.String():
			return c.getStored(releases, key.Name, o)
		case httpRoutes.String():
			return c.getWhole(httpRoutes, key.Name, o)
		}
	case *metav1.PartialObjectMetadata:
		return nil // A Gateway, and a namespace on which nothing is noted.
	}
	k := kindOf(into)
	found := c.shelf(k).get(key.Name)
	c.p.noteGet(c.live, k, found)
	if found == nil {
		return notFound(k, key.Name)
	}
	if !c.live && (&client.GetOptions{}).ApplyOptions(options).UnsafeDisableDeepCopy != nil {
		reflect.ValueOf(into).Elem().Set(reflect.ValueOf(found).Elem()) // As a cache answers that is asked not to copy.
		return nil
	}
	copyInto(found, into)
	return nil
}

// generation of an object, in which its spec stays as it is.
type generation struct {
	of     types.UID
	number int64
}

// getStored answers with an object as the API server stored it, as far as it is asked for
// in this way: its spec, and whose that is.
func (c connection) getStored(k kind, name string, into *unstructured.Unstructured) error {
	found := c.p.w.shelves[k].get(name)
	if found == nil {
		return notFound(k, name)
	}
	of := generation{found.GetUID(), found.GetGeneration()}
	spec, ok := c.p.w.specs[of]
	if !ok {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
		must(err)
		spec = object["spec"]
		c.p.w.specs[of] = spec
	}
	into.Object["spec"] = spec
	into.SetName(name)
	into.SetUID(of.of)
	into.SetGeneration(of.number)
	into.SetAnnotations(found.GetAnnotations())
	return nil
}

// getWhole answers with all of an object as the API server stored it.
func (c connection) getWhole(k kind, name string, into *unstructured.Unstructured) error {
	found := c.p.w.shelves[k].get(name)
	if found == nil {
		return notFound(k, name)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	must(err)
	kind := into.GroupVersionKind()
	into.Object = object
	into.SetGroupVersionKind(kind)
	return nil
}

func (c connection) shelf(k kind) shelf {
	if c.live || k == configMaps || k == secrets {
		return c.p.w.shelves[k]
	}
	return c.p.views[k].shelf
}

func (c connection) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if c.live {
		if err := c.p.leave("list"); err != nil {
			return err
		}
	}
	switch l := list.(type) {
	case *eventsv1.EventList:
		return nil // there is none
	case *v1alpha1.ReleasePolicyList:
		l.Items = c.p.w.policies()
		return nil
	}
	asked, whole := options[0].(*client.ListOptions)
	if !whole || len(options) > 1 {
		asked = (&client.ListOptions{}).ApplyOptions(options)
	}
	k := kindOf(list)
	if k == records && asked.Namespace == RequiredNamespace {
		k = elsewhere
	}
	a := c.find(k, asked)
	c.p.noteList(k, asked, a.shelf)
	if kept := a.Field != ""; c.p.w.careful || !kept {
		fill(list, a.shelf)
		return nil
	}
	// Whoever asks the same again before the cache has heard of anything gets the same items.
	if a.list == nil {
		a.list = reflect.New(reflect.TypeOf(list).Elem()).Interface().(client.ObjectList)
		fill(a.list, a.shelf)
	}
	reflect.ValueOf(list).Elem().Set(reflect.ValueOf(a.list).Elem())
	return nil
}

// find are the objects that a list is asked for.
func (c connection) find(k kind, asked *client.ListOptions) *answer {
	found := c.shelf(k)
	if asked.LabelSelector != nil {
		found = slices.Collect(func(yield func(client.Object) bool) {
			for _, object := range found {
				if asked.LabelSelector.Matches(labelsOf{object}) && !yield(object) {
					return
				}
			}
		})
	}
	if asked.FieldSelector == nil {
		return &answer{shelf: found}
	}
	if c.live || asked.LabelSelector != nil {
		return &answer{shelf: c.p.w.indexes.find(k, found, asked.FieldSelector.Requirements()[0])}
	}
	// A cache is asked the same again and again, before it hears of anything.
	v := &c.p.views[k]
	for i := range v.answers {
		if value, same := asked.FieldSelector.RequiresExactMatch(v.answers[i].Field); same && value == v.answers[i].Value {
			return &v.answers[i]
		}
	}
	which := asked.FieldSelector.Requirements()[0]
	v.answers = append(v.answers, answer{Requirement: which, shelf: c.p.w.indexes.find(k, found, which)})
	return &v.answers[len(v.answers)-1]
}

// labelsOf are the labels of an object as selectors read them.
type labelsOf struct{ client.Object }

func (l labelsOf) Has(label string) bool { _, ok := l.GetLabels()[label]; return ok }

func (l labelsOf) Get(label string) string { return l.GetLabels()[label] }

func (l labelsOf) Lookup(label string) (string, bool) { v, ok := l.GetLabels()[label]; return v, ok }

// find are the objects that a cache answers with, which has an index for what is asked.
func (i indexes) find(k kind, objects shelf, which fields.Requirement) shelf {
	if k == elsewhere {
		k = records
	}
	extract := i[k][which.Field]
	if extract == nil {
		panic(fmt.Sprintf("%s is not indexed by %s", k, which.Field))
	}
	found := make(shelf, 0, len(objects))
	for _, object := range objects {
		if slices.Contains(extract(object), which.Value) {
			found = append(found, object)
		}
	}
	return found
}

func (c connection) Create(_ context.Context, object client.Object, options ...client.CreateOption) error {
	if stored, ok := object.(*unstructured.Unstructured); ok && stored.GetKind() == releases.String() {
		release := &v1alpha1.ImmutableRelease{}
		must(runtime.DefaultUnstructuredConverter.FromUnstructured(stored.Object, release))
		object = release
	}
	asked := (&client.CreateOptions{}).ApplyOptions(options)
	if len(asked.DryRun) > 0 {
		if err := c.p.leave("try"); err != nil {
			return err
		}
		if route, ok := object.(*unstructured.Unstructured); ok && route.GetKind() == httpRoutes.String() {
			return c.p.w.tryRoute(route)
		}
		return c.p.w.create(object, true)
	}
	return c.p.write("create", object, func() error {
		c.p.w.dropSessions(object)
		return c.p.w.create(object, false)
	})
}

func (c connection) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	if whole, ok := object.(*unstructured.Unstructured); ok && whole.GetKind() == httpRoutes.String() {
		route := &gatewayv1.HTTPRoute{}
		must(runtime.DefaultUnstructuredConverter.FromUnstructured(whole.Object, route))
		route.TypeMeta = metav1.TypeMeta{}
		object = route
	}
	if object.GetResourceVersion() == "" {
		c.p.w.violate("Observed", "an update of %s %s carries no resourceVersion", kindOf(object), object.GetName())
	}
	return c.p.write("update", object, func() error {
		c.p.w.dropSessions(object)
		return c.p.w.update(object)
	})
}

// Patch takes the patches that the loop makes: of the labels of a release, or of an
// object that it has changed a copy of, under the resourceVersion of that copy. What
// such a patch stores is that copy.
func (c connection) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	c.lock(object, patch)
	if release, ok := object.(*v1alpha1.ImmutableRelease); ok && object.GetUID() == "" {
		return c.p.write("patch", object, func() error { return c.p.w.label(release, patch) })
	}
	return c.p.write("patch", object, func() error { return c.p.w.update(object) })
}

// lock holds a patch to carrying the resourceVersion that was observed. One of two objects
// is asked for its option: to encode it takes longer than all else that a write does.
func (c connection) lock(object client.Object, patch client.Patch) {
	if options := reflect.Indirect(reflect.ValueOf(patch)).FieldByName("opts"); options.IsValid() {
		if !options.FieldByName("OptimisticLock").Bool() {
			c.p.w.violate("Observed", "a patch of %s %s carries no resourceVersion", kindOf(object), object.GetName())
		}
		return
	}
	data, err := patch.Data(object)
	must(err)
	if !bytes.Contains(data, []byte(`"resourceVersion"`)) {
		c.p.w.violate("Observed", "a patch of %s %s carries no resourceVersion", kindOf(object), object.GetName())
	}
}

func (c connection) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	asked := (&client.DeleteOptions{}).ApplyOptions(options)
	return c.p.write("delete", object, func() error {
		return c.p.w.remove(kindOf(object), object.GetName(), asked.Preconditions)
	})
}

func (c connection) Status() client.SubResourceWriter { return statusWriter{c: c} }

type statusWriter struct {
	client.SubResourceWriter
	c connection
}

func (s statusWriter) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	if s.c.p.w.careful {
		s.c.lock(object, patch)
	}
	return s.c.p.write("status", object, func() error { return s.c.p.w.updateStatus(object) })
}

// notFound is apierrors.NewNotFound without its details, which nobody reads and most of it costs.
func notFound(k kind, name string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: k.resource().Resource + " " + name + " not found",
	}}
}
