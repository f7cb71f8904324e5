package simulation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// store is the API server: it numbers every write, and refuses those that come too
// late. It does what Strata relies on, and nothing else.
type store struct {
	Now     time.Time
	shelves [kinds]shelf
	// history of each kind, as a watch tells it.
	history [kinds][]change
	// changed is told of every change, in order.
	changed func(kind, change)

	// copies are what the objects of careful worlds were when they were stored: every
	// cache shares them.
	copies map[client.Object]client.Object

	// terminating: the namespace is on its way out, and takes nothing new.
	terminating bool

	// alive are the UIDs of all objects.
	alive    map[types.UID]bool
	revision int
	uids     int
}

// change is one event of a watch: before is nil for an object that is new, after for
// one that is gone.
type change struct{ before, after client.Object }

func (c change) object() client.Object {
	if c.after != nil {
		return c.after
	}
	return c.before
}

func (s *store) apply(k kind, c change) {
	if c.after != nil {
		s.shelves[k].put(c.after)
		s.alive[c.after.GetUID()] = true
		if s.copies != nil {
			s.copies[c.after] = c.after.DeepCopyObject().(client.Object)
		}
	} else {
		s.shelves[k].drop(c.before.GetName())
		delete(s.alive, c.before.GetUID())
	}
	s.history[k] = append(s.history[k], c)
	if s.changed != nil {
		s.changed(k, c)
	}
}

func (s *store) number(object client.Object) {
	s.revision++
	object.SetResourceVersion(strconv.Itoa(s.revision))
}

// create stores a copy of the object, and answers in it.
func (s *store) create(object client.Object, dryRun bool) error {
	k := kindOf(object)
	if s.terminating && k != elsewhere {
		return apierrors.NewForbidden(k.resource(), object.GetName(), errors.New("the namespace is being terminated"))
	}
	if s.shelves[k].get(object.GetName()) != nil {
		return apierrors.NewAlreadyExists(k.resource(), object.GetName())
	}
	if dryRun {
		return nil
	}
	s.uids++
	if k != elsewhere {
		object.SetNamespace(Namespace)
	}
	object.SetUID(types.UID(fmt.Sprintf("uid-%d", s.uids)))
	object.SetCreationTimestamp(metav1.NewTime(s.Now.Truncate(time.Second)))
	object.SetGeneration(1)
	s.number(object)
	stored := object.DeepCopyObject().(client.Object)
	clearStatus(stored)
	s.apply(k, change{after: stored})
	return nil
}

// update replaces all but the status.
func (s *store) update(object client.Object) error {
	k := kindOf(object)
	before, err := s.current(k, object)
	if err != nil {
		return err
	}
	stored := shallow(object)
	takeStatus(stored, before)
	stored.SetGeneration(before.GetGeneration())
	if same, ok := sameSpec(stored, before); ok && !same {
		if k == releases || k == records || k == actions {
			return apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind(k.String()).GroupKind(), before.GetName(), nil)
		}
		stored.SetGeneration(before.GetGeneration() + 1)
	}
	s.replace(k, before, stored, object)
	return nil
}

// label carries out a merge patch of the labels of a release.
func (s *store) label(answer *v1alpha1.ImmutableRelease, patch client.Patch) error {
	var asked struct {
		Metadata struct {
			ResourceVersion string             `json:"resourceVersion"`
			Labels          map[string]*string `json:"labels"`
		} `json:"metadata"`
	}
	data, err := patch.Data(answer)
	must(err)
	must(json.Unmarshal(data, &asked))
	answer.ResourceVersion = asked.Metadata.ResourceVersion
	before, err := s.current(releases, answer)
	if err != nil {
		return err
	}
	stored := before.DeepCopyObject().(*v1alpha1.ImmutableRelease)
	if stored.Labels == nil {
		stored.Labels = map[string]string{}
	}
	for label, value := range asked.Metadata.Labels {
		if value == nil {
			delete(stored.Labels, label)
		} else {
			stored.Labels[label] = *value
		}
	}
	s.replace(releases, before, stored, answer)
	return nil
}

// updateStatus replaces the status alone.
func (s *store) updateStatus(object client.Object) error {
	k := kindOf(object)
	before, err := s.current(k, object)
	if err != nil {
		return err
	}
	stored := shallow(before)
	takeStatus(stored, object)
	asStored(stored)
	s.replace(k, before, stored, object)
	return nil
}

// current is the stored object, if it is the one that the caller has seen.
func (s *store) current(k kind, seen client.Object) (client.Object, error) {
	before := s.shelves[k].get(seen.GetName())
	switch {
	case before == nil:
		return nil, apierrors.NewNotFound(k.resource(), seen.GetName())
	case seen.GetUID() != "" && seen.GetUID() != before.GetUID(), seen.GetResourceVersion() != "" && seen.GetResourceVersion() != before.GetResourceVersion():
		return nil, apierrors.NewConflict(k.resource(), seen.GetName(), errors.New("the object has been modified"))
	}
	return before, nil
}

// replace stores an object, and answers with a copy: what the caller brought is its no more.
func (s *store) replace(k kind, before, stored, answer client.Object) {
	stored.SetNamespace(Namespace)
	stored.SetUID(before.GetUID())
	stored.SetCreationTimestamp(before.GetCreationTimestamp())
	s.number(stored)
	s.apply(k, change{before: before, after: stored})
	copyInto(stored, answer)
}

// remove deletes at once. What it owned is collected later.
func (s *store) remove(k kind, name string, conditions *metav1.Preconditions) error {
	before := s.shelves[k].get(name)
	if before == nil {
		return apierrors.NewNotFound(k.resource(), name)
	}
	if c := conditions; c != nil && (c.UID != nil && *c.UID != before.GetUID() || c.ResourceVersion != nil && *c.ResourceVersion != before.GetResourceVersion()) {
		return apierrors.NewConflict(k.resource(), name, errors.New("the precondition does not hold"))
	}
	s.revision++
	s.apply(k, change{before: before})
	return nil
}

// asStored rounds the times of a status as JSON does.
func asStored(object client.Object) {
	switch o := object.(type) {
	case *v1alpha1.ReleaseTrack:
		wholeSeconds(o.Status.Conditions)
		o.Status.StepStartTime, o.Status.NextStepTime = wholeSecond(o.Status.StepStartTime), wholeSecond(o.Status.NextStepTime)
	case *v1alpha1.ImmutableRelease:
		wholeSeconds(o.Status.Conditions)
		for i := range o.Status.Tests {
			t := &o.Status.Tests[i]
			t.StartTime, t.CompletionTime = wholeSecond(t.StartTime), wholeSecond(t.CompletionTime)
		}
	}
}

func wholeSeconds(conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].LastTransitionTime.Time = conditions[i].LastTransitionTime.Truncate(time.Second)
	}
}

func wholeSecond(t *metav1.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// mustCreate and its like are for what is played: nobody else writes meanwhile.
func (s *store) mustCreate(object client.Object) { must(s.create(object, false)) }

func (s *store) mustUpdate(object client.Object) { must(s.update(object)) }

func (s *store) mustUpdateStatus(object client.Object) { must(s.updateStatus(object)) }

func (s *store) mustRemove(k kind, name string) { must(s.remove(k, name, nil)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// orphaned says whether an object's owner is not there, or another one of its name.
func (s *store) orphaned(object client.Object) bool {
	owners := object.GetOwnerReferences()
	return len(owners) > 0 && !slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return s.alive[o.UID] })
}
