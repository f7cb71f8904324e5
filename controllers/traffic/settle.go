package traffic

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Sights is since when this process knows the objects of routes as they are: the time
// that a router which confirms nothing is given counts from it. Its zero value is empty.
type Sights struct {
	mu   sync.Mutex
	seen map[types.NamespacedName]sight
}

// sight is since when objects look like this.
type sight struct {
	look  string
	since time.Time
}

// Since is from when on what a route has under this name looks so. What looks like ""
// is not there, and is forgotten.
func (s *Sights) Since(key types.NamespacedName, look string, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if look == "" {
		delete(s.seen, key)
		return now
	}
	if s.seen == nil {
		s.seen = map[types.NamespacedName]sight{}
	}
	if s.seen[key].look != look {
		s.seen[key] = sight{look: look, since: now}
	}
	return s.seen[key].since
}
