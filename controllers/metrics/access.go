package metrics

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// How long an answer of the API server is believed, and how many are kept: enough
// for the scrapers that a cluster has, and no room for somebody who tries tokens.
const (
	accessLifetime = time.Minute
	accessEntries  = 128
)

// Protect lets pass who the API server says may get the path: the bearer token is
// reviewed by a TokenReview, the user by a SubjectAccessReview on the path. Its
// form is the one of server.Options.FilterProvider. Others get 401, 403 or, when
// the API server does not answer, 500.
//
// controller-runtime has such a filter; it brings k8s.io/apiserver with gRPC,
// OpenTelemetry and CEL, 20 MB of program for two requests.
func Protect(config *rest.Config, httpClient *http.Client) (server.Filter, error) {
	clientset, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("protect metrics: %w", err)
	}
	access := &access{client: clientset, now: time.Now, known: map[[sha256.Size]byte]answer{}}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch status, err := access.check(r); {
			case err != nil:
				log.Error(err, "cannot tell who asks for metrics")
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			case status != http.StatusOK:
				http.Error(w, http.StatusText(status), status)
			default:
				next.ServeHTTP(w, r)
			}
		}), nil
	}, nil
}

type access struct {
	client kubernetes.Interface
	now    func() time.Time

	mu    sync.Mutex
	known map[[sha256.Size]byte]answer
}

// answer is an HTTP status, and until when it holds.
type answer struct {
	status int
	until  time.Time
}

// check answers 200, 401 or 403. Only answers of the API server are remembered.
func (a *access) check(r *http.Request) (int, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return http.StatusUnauthorized, nil
	}
	verb := strings.ToLower(r.Method)
	key := sha256.Sum256([]byte(verb + " " + r.URL.Path + "\n" + token))
	if status, known := a.recall(key); known {
		return status, nil
	}
	status, err := a.ask(r, token, verb)
	if err == nil {
		a.remember(key, status)
	}
	return status, err
}

func (a *access) recall(key [sha256.Size]byte) (int, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.known[key]
	return known.status, ok && a.now().Before(known.until)
}

func (a *access) remember(key [sha256.Size]byte, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= accessEntries {
		clear(a.known)
	}
	a.known[key] = answer{status: status, until: a.now().Add(accessLifetime)}
}

func (a *access) ask(r *http.Request, token, verb string) (int, error) {
	review, err := a.client.AuthenticationV1().TokenReviews().Create(r.Context(), &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review token: %w", err)
	}
	if !review.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := review.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for name, value := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(value)
	}
	decision, err := a.client.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: verb},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review access of %s: %w", user.Username, err)
	}
	if !decision.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
