package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Headers that say who answered, so that a load client need not read bodies.
const (
	headerVersion = "X-Version"
	headerRelease = "X-Release"
	headerPod     = "X-Pod"
)

// identity is who answers.
type identity struct {
	Release   string `json:"release"`
	Version   string `json:"version"`
	Component string `json:"component"`
	Pod       string `json:"pod"`
	// Config is the configuration value that the process started with.
	Config string `json:"config"`
}

// answer is the body of an answer: who answered, and who answered them.
type answer struct {
	identity
	Calls map[string]json.RawMessage `json:"calls,omitempty"`
}

// whoAmI reads the process's identity from its environment and files.
func whoAmI(o options) (identity, error) {
	pod, err := os.Hostname()
	if err != nil {
		return identity{}, fmt.Errorf("read the host name: %w", err)
	}
	id := identity{
		Release:   os.Getenv("STRATA_RELEASE"),
		Version:   os.Getenv("STRATA_VERSION"),
		Component: o.component,
		Pod:       pod,
		Config:    os.Getenv("GREETING"),
	}
	if o.configFile != "" {
		content, err := os.ReadFile(o.configFile)
		if err != nil {
			return identity{}, fmt.Errorf("read the config file: %w", err)
		}
		id.Config = strings.TrimSpace(string(content))
	}
	return id, nil
}

// application is the handler's state.
type application struct {
	identity identity
	faults   *faults
	started  time.Time
	// served counts the requests that were answered at /, on which faults depend.
	served atomic.Int64
}

// routes: / answers, and so does gRPC's Health service; /healthz is the readiness
// probe, /selfcheck is what a test asks without being a customer.
func (a *application) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.root)
	mux.Handle("POST /"+healthpb.Health_ServiceDesc.ServiceName+"/", a.calls())
	mux.HandleFunc("/healthz", a.check(a.faults.notReady))
	mux.HandleFunc("/selfcheck", a.check(a.faults.unhealthy))
	return mux
}

// root answers who it is. `?call=api,web` asks these siblings, through the
// addresses that the operator gave the pod, and shows their answers.
func (a *application) root(w http.ResponseWriter, r *http.Request) {
	served := a.served.Add(1)
	a.sign(w)
	if a.faults.answersError(served) {
		http.Error(w, fmt.Sprintf("broken since request %d", a.faults.failAfter), http.StatusInternalServerError)
		return
	}
	reply := answer{identity: a.identity}
	for _, name := range strings.FieldsFunc(r.URL.Query().Get("call"), func(c rune) bool { return c == ',' }) {
		body, err := a.callSibling(r.Context(), name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if reply.Calls == nil {
			reply.Calls = map[string]json.RawMessage{}
		}
		reply.Calls[name] = body
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(reply)
}

// check answers 204, or 503 with the reason while fault gives one.
func (a *application) check(fault func(served int64, up time.Duration) string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		a.sign(w)
		if reason := fault(a.served.Load(), time.Since(a.started)); reason != "" {
			http.Error(w, reason, http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (a *application) sign(w http.ResponseWriter) {
	w.Header().Set(headerVersion, a.identity.Version)
	w.Header().Set(headerRelease, a.identity.Release)
	w.Header().Set(headerPod, a.identity.Pod)
}

// siblingURL is where a sibling component of the same release answers.
func siblingURL(component, path string) (string, error) {
	variable := "STRATA_HOST_" + strings.ToUpper(component)
	host := os.Getenv(variable)
	if host == "" {
		return "", fmt.Errorf("%s is not set: the release has no component %q with ports", variable, component)
	}
	return "http://" + host + path, nil
}

var siblings = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}

// callSibling is the JSON that a sibling component answers. Another version than
// its own is an error: a request must never meet two.
func (a *application) callSibling(ctx context.Context, component string) (json.RawMessage, error) {
	url, err := siblingURL(component, "/")
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", component, err)
	}
	response, err := siblings.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", component, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", component, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %s", component, response.Status, strings.TrimSpace(string(body)))
	}
	if version := response.Header.Get(headerVersion); version != a.identity.Version {
		return nil, fmt.Errorf("%s %q answered %s %q", component, version, a.identity.Component, a.identity.Version)
	}
	return body, nil
}
