package simulation

import (
	"cmp"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// shelf holds the objects of one kind in the order of their names. The objects are
// never changed, and are shared with every cache: a write puts another one there.
type shelf []client.Object

func (s shelf) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s, name, func(o client.Object, name string) int { return cmp.Compare(o.GetName(), name) })
}

// get is nil for an object that is not there.
func (s shelf) get(name string) client.Object {
	if i, ok := s.find(name); ok {
		return s[i]
	}
	return nil
}

func (s *shelf) put(object client.Object) {
	i, ok := s.find(object.GetName())
	if ok {
		(*s)[i] = object
		return
	}
	*s = slices.Insert(*s, i, object)
}

func (s *shelf) drop(name string) {
	if i, ok := s.find(name); ok {
		*s = slices.Delete(*s, i, i+1)
	}
}

// on is an object by its type; nil when it is not there.
func on[T any](s *store, k kind, name string) *T {
	object, _ := any(s.shelves[k].get(name)).(*T)
	return object
}

// each are all objects of a kind by their type.
func each[T any](s *store, k kind) []*T {
	all := make([]*T, 0, len(s.shelves[k]))
	for _, object := range s.shelves[k] {
		all = append(all, any(object).(*T))
	}
	return all
}
