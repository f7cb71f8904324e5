package metrics

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

// reviewer is an API server that knows the tokens prometheus, who may get
// /metrics, and visitor, who may not.
func reviewer(asked *int, down *bool) *fake.Clientset {
	clientset := fake.NewClientset()
	clientset.PrependReactor("create", "tokenreviews", func(action k8stesting.Action) (bool, runtime.Object, error) {
		*asked++
		if *down {
			return true, nil, errors.New("the API server does not answer")
		}
		review := action.(k8stesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
		review.Status.User.Username = review.Spec.Token
		review.Status.Authenticated = review.Spec.Token == "prometheus" || review.Spec.Token == "visitor"
		return true, review, nil
	})
	clientset.PrependReactor("create", "subjectaccessreviews", func(action k8stesting.Action) (bool, runtime.Object, error) {
		review := action.(k8stesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		at := review.Spec.NonResourceAttributes
		review.Status.Allowed = review.Spec.User == "prometheus" && at.Path == "/metrics" && at.Verb == "get"
		return true, review, nil
	})
	return clientset
}

func TestMetricsAreForThoseWhoMayGetThem(t *testing.T) {
	now := time.Unix(0, 0)
	asked, down := 0, false
	a := &access{client: reviewer(&asked, &down), now: func() time.Time { return now }, known: map[[sha256.Size]byte]answer{}}

	for _, c := range []struct {
		name, method, path, header string
		want                       int
	}{
		{"no token", "GET", "/metrics", "", 401},
		{"not a bearer", "GET", "/metrics", "Basic prometheus", 401},
		{"empty token", "GET", "/metrics", "Bearer ", 401},
		{"unknown token", "GET", "/metrics", "Bearer guess", 401},
		{"known, not allowed", "GET", "/metrics", "Bearer visitor", 403},
		{"allowed", "GET", "/metrics", "Bearer prometheus", 200},
		{"another path", "GET", "/debug", "Bearer prometheus", 403},
		{"another verb", "POST", "/metrics", "Bearer prometheus", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := httptest.NewRequest(c.method, c.path, nil)
			request.Header.Set("Authorization", c.header)
			status, err := a.check(request)
			if status != c.want || err != nil {
				t.Errorf("got %d %v, want %d", status, err, c.want)
			}
		})
	}

	scrape := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	scrape.Header.Set("Authorization", "Bearer prometheus")
	down = true
	before := asked
	if status, err := a.check(scrape); status != http.StatusOK || err != nil || asked != before {
		t.Errorf("an answer of a minute ago: got %d %v after %d questions, want 200 and none", status, err, asked-before)
	}
	now = now.Add(accessLifetime)
	if status, err := a.check(scrape); err == nil {
		t.Errorf("no answer from the API server: got %d, want an error", status)
	}
}
