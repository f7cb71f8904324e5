package operator

import (
	"hash/maphash"
	"maps"
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What is shared is what was seen lately: at least as many of each are known, and at most
// twice as many. Longer strings are nobody else's.
const (
	sharedTexts = 4096
	sharedMaps  = 1024
	sharedLogs  = 1024
	longestText = 256
)

// sharing lets what cached objects have in common be in memory once: names, digests,
// images, and all that is called alike in every object of a kind; whole maps of labels,
// which are larger than what is in them; and what a record says as the one before it. An
// object that was decoded has all of it for itself, and is mostly made of it. What is
// cached is read only, and so may be shared. Safe for concurrent use.
type sharing struct {
	mu    sync.Mutex
	seed  maphash.Seed
	texts lately[string, string]
	maps  lately[uint64, map[string]string]
	// logs have the record of each track that was seen last.
	logs lately[types.NamespacedName, *v1alpha1.ReleaseRecordSpec]
}

func newSharing() *sharing {
	s := &sharing{seed: maphash.MakeSeed()}
	s.texts.most, s.maps.most, s.logs.most = sharedTexts, sharedMaps, sharedLogs
	return s
}

// after makes the transform of a kind, of which slim leaves what is read, without changing
// what it points to. What has no managed fields was transformed before, and shares already:
// a cache that is filled anew asks twice.
func (s *sharing) after(slim func(client.Object)) cache.TransformFunc {
	return func(object any) (any, error) {
		o, ok := object.(client.Object)
		if !ok {
			return object, nil
		}
		fresh := len(o.GetManagedFields()) > 0
		o.SetManagedFields(nil)
		slim(o)
		if !fresh {
			return o, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.share(reflect.ValueOf(o))
		if record, ok := o.(*v1alpha1.ReleaseRecord); ok {
			s.record(record)
		}
		return o, nil
	}
}

// record shares with the one before it what an attempt does not change with each.
func (s *sharing) record(r *v1alpha1.ReleaseRecord) {
	track := types.NamespacedName{Namespace: r.Namespace, Name: r.Spec.TrackName}
	if last, ok := s.logs.get(track); ok {
		was, is := &last.State, &r.Spec.State
		alike(&r.Spec.Release, last.Release)
		alike(&is.Stable, was.Stable)
		alike(&is.Candidate, was.Candidate)
		alike(&is.Routes, was.Routes)
		alike(&is.Tests, was.Tests)
		alike(&is.Approvals, was.Approvals)
		alike(&is.Live, was.Live)
		alike(&is.Opened, was.Opened)
		alike(&is.Published, was.Published)
	}
	s.logs.put(track, &r.Spec)
}

func alike[T any](own *T, other T) {
	if reflect.DeepEqual(*own, other) {
		*own = other
	}
}

func (s *sharing) share(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 && v.Len() <= longestText {
			v.SetString(s.text(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			s.share(v.Elem())
		}
	case reflect.Struct:
		for _, i := range partsOf(v.Type()) {
			s.share(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.share(v.Index(i))
		}
	case reflect.Map:
		if own, ok := v.Interface().(map[string]string); ok && len(own) > 0 {
			v.Set(reflect.ValueOf(s.one(own)))
		}
	}
}

func (s *sharing) text(own string) string {
	if known, ok := s.texts.get(own); ok {
		return known
	}
	s.texts.put(own, own)
	return own
}

// one map of all that are equal.
func (s *sharing) one(own map[string]string) map[string]string {
	var sum uint64
	for key, value := range own {
		sum += maphash.String(s.seed, key) ^ 31*maphash.String(s.seed, value)
	}
	if known, ok := s.maps.get(sum); ok && maps.Equal(known, own) {
		return known
	}
	shared := make(map[string]string, len(own))
	for key, value := range own {
		shared[s.text(key)] = s.text(value)
	}
	s.maps.put(sum, shared)
	return shared
}

// lately are the entries that were put or got last, at most twice as many as most.
type lately[K comparable, V any] struct {
	most         int
	newer, older map[K]V
}

func (l *lately[K, V]) get(key K) (V, bool) {
	if value, ok := l.newer[key]; ok {
		return value, true
	}
	value, ok := l.older[key]
	if ok {
		l.put(key, value)
	}
	return value, ok
}

func (l *lately[K, V]) put(key K, value V) {
	if l.newer == nil || len(l.newer) >= l.most {
		l.newer, l.older = map[K]V{}, l.newer
	}
	l.newer[key] = value
}

// parts are, by the type of a struct, the indices of its fields that may hold anything to
// be shared.
var parts sync.Map

func partsOf(t reflect.Type) []int {
	if known, ok := parts.Load(t); ok {
		return known.([]int)
	}
	var indices []int
	for i := range t.NumField() {
		if field := t.Field(i); field.IsExported() && holds(field.Type) {
			indices = append(indices, i)
		}
	}
	parts.Store(t, indices)
	return indices
}

// holds says whether a value of a type may hold anything to be shared.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		return true
	case reflect.Pointer, reflect.Slice:
		return holds(t.Elem())
	case reflect.Struct:
		return len(partsOf(t)) > 0
	case reflect.Map:
		return t == reflect.TypeFor[map[string]string]()
	}
	return false
}
