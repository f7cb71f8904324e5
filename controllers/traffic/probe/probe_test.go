package probe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

const requests int32 = 200

// anywhere connects to where a test listens, which nobody else may.
func anywhere(ctx context.Context, network, host string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, host)
}

func question(url string) Question {
	n := requests
	return Question{
		Track:    types.NamespacedName{Namespace: "shop", Name: "shop"},
		Route:    v1alpha1.Route{Name: "public", Probe: &v1alpha1.RouteProbe{URL: url, Hostname: "shop.example", MarkerHeader: "X-Release", Requests: &n}},
		Weights:  []v1alpha1.ReleaseWeight{{ReleaseName: "shop-1", WeightPercent: 75}, {ReleaseName: "shop-2", WeightPercent: 25}},
		Releases: []string{"shop-1", "shop-2"}, Sequence: 7, Object: "a 1",
	}
}

// gateway leads every fourth request to shop-2, unless it answers otherwise.
type gateway struct {
	*httptest.Server
	asked     atomic.Int64
	underWay  atomic.Int64
	most      atomic.Int64
	otherwise func(w http.ResponseWriter, r *http.Request) bool
}

func open(t *testing.T, otherwise func(http.ResponseWriter, *http.Request) bool) *gateway {
	g := &gateway{otherwise: otherwise}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := g.underWay.Add(1)
		defer g.underWay.Add(-1)
		for most := g.most.Load(); now > most; most = g.most.Load() {
			g.most.CompareAndSwap(most, now)
		}
		n := g.asked.Add(1)
		if g.otherwise != nil && g.otherwise(w, r) {
			return
		}
		release := "shop-1"
		if n%4 == 0 {
			release = "shop-2"
		}
		w.Header().Set("X-Release", release)
	}))
	t.Cleanup(g.Close)
	return g
}

func TestProbesCountWhoAnswers(t *testing.T) {
	var wrong atomic.Bool
	g := open(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Host != "shop.example" || r.Method != http.MethodGet || r.URL.Path != "/a" {
			wrong.Store(true)
		}
		return false
	})
	q := question(g.URL + "/a")
	shown := ask(t.Context(), anywhere, &q)
	if shown.Answers["shop-1"] != 150 || shown.Answers["shop-2"] != 50 || shown.Lost != 0 || shown.Requests != requests || shown.Sequence != 7 {
		t.Errorf("%+v", shown)
	}
	if reason, message := shown.Doubt(q.Route, q.Weights); reason != "" {
		t.Error(reason, message)
	}
	if wrong.Load() || g.asked.Load() != int64(requests) || g.most.Load() > atOnce {
		t.Errorf("asked %d times, %d at once, or for something else", g.asked.Load(), g.most.Load())
	}
}

// Nothing of an answer is told but a release of the track, no redirect is followed, and
// nothing is read without end.
func TestProbesTellNothingOfAnswers(t *testing.T) {
	elsewhere := open(t, nil)
	for name, otherwise := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"another release": func(w http.ResponseWriter, _ *http.Request) bool { w.Header().Set("X-Release", "secret"); return true },
		"two at once": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header()["X-Release"] = []string{"shop-1", "secret"}
			return true
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL+"/secret", http.StatusFound)
			return true
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "secret", http.StatusTeapot)
			return true
		},
	} {
		q := question(open(t, otherwise).URL)
		shown := ask(t.Context(), anywhere, &q)
		reason, message := shown.Doubt(q.Route, q.Weights)
		if reason != rollout.ReasonShare || strings.Contains(message, "secret") || !strings.Contains(message, "name no release of the track in X-Release (the last has status ") {
			t.Errorf("%s: %s %s", name, reason, message)
		}
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
	endless := question(open(t, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Release", "shop-2")
		for text := []byte(strings.Repeat("x", 8<<10)); r.Context().Err() == nil; {
			if _, err := w.Write(text); err != nil {
				break
			}
		}
		return true
	}).URL)
	if shown := ask(t.Context(), anywhere, &endless); shown.Answers["shop-2"] != requests {
		t.Errorf("%+v", shown)
	}
}

func TestProbesAskNothingInside(t *testing.T) {
	g := open(t, nil)
	for _, url := range []string{g.URL, "http://169.254.169.254/latest", "http://[::1]/", "http://localhost:1/"} {
		q := question(url)
		shown := ask(t.Context(), New(Options{}).options.Dial, &q)
		if shown.Lost != requests || !strings.Contains(shown.Trouble, "which is not asked") {
			t.Errorf("%s: %+v", url, shown)
		}
	}
	if g.asked.Load() != 0 {
		t.Error("a loopback address was asked")
	}
	nobody := question("http://127.0.0.1:1/")
	if shown := ask(t.Context(), anywhere, &nobody); shown.Lost != requests || shown.Trouble != "it cannot be connected to" {
		t.Errorf("%+v", shown)
	}
}

// A route is asked by one worker at a time, once for each question; what the weights do not
// explain is asked again, and an answer to another question is none.
func TestProbersAskOnce(t *testing.T) {
	g := open(t, nil)
	var seconds atomic.Int64
	p := New(Options{Dial: anywhere, Settle: time.Millisecond, Now: func() time.Time { return time.Unix(seconds.Load(), 0) }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Start(ctx) }()
	defer func() { cancel(); <-ended }()
	answer := func(q Question) *rollout.Probe {
		t.Helper()
		for range 1000 {
			if shown := p.Ask(q); shown != nil {
				return shown
			}
			<-p.told
		}
		t.Fatal("no answer")
		return nil
	}
	q := question(g.URL)
	if shown := p.Ask(q); shown != nil {
		t.Fatalf("known at once: %+v", shown)
	}
	for range 5 {
		if shown := answer(q); shown.Answers["shop-2"] != 50 {
			t.Fatalf("%+v", shown)
		}
		seconds.Add(60)
	}
	if g.asked.Load() != int64(requests) {
		t.Errorf("asked %d times", g.asked.Load())
	}

	moved := q
	moved.Sequence, moved.Weights = 8, []v1alpha1.ReleaseWeight{{ReleaseName: "shop-2", WeightPercent: 100}}
	if shown := p.Ask(moved); shown != nil {
		t.Fatalf("the answer of before: %+v", shown)
	}
	if shown := answer(moved); shown.Sequence != 8 {
		t.Errorf("%+v", shown)
	}
	if seconds.Add(60); p.Ask(moved) == nil {
		t.Error("what was shown counts no more before there is another answer")
	}
	for end := time.Now().Add(5 * time.Second); g.asked.Load() < 3*int64(requests) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if g.asked.Load() != 3*int64(requests) {
		t.Errorf("asked %d times where the weights do not explain the answers", g.asked.Load())
	}
	for _, other := range []Question{{Object: "a 2"}, {Sequence: 9}} {
		changed := moved
		if other.Object != "" {
			changed.Object = other.Object
		} else {
			changed.Sequence = other.Sequence
		}
		if changed.same(&moved) {
			t.Errorf("%+v is the same question", other)
		}
	}
}
