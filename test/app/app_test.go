package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// start serves the application with args on a free port until the test ends, and
// gives its address and what ends it.
func start(t *testing.T, args ...string) (address string, terminate func() error) {
	t.Helper()
	o, err := parseServe(append([]string{"--linger=50ms"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, listener, o) }()
	terminate = func() error { cancel(); return <-done }
	t.Cleanup(cancel)
	return listener.Addr().String(), terminate
}

func get(t *testing.T, url string) (int, http.Header, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestAnswersWhoItIs(t *testing.T) {
	t.Setenv("STRATA_RELEASE", "shop-1")
	t.Setenv("STRATA_VERSION", "1.0.0")
	t.Setenv("GREETING", "hello")
	address, terminate := start(t, "--component=web")
	t.Setenv("STRATA_HOST_API", address)

	status, header, body := get(t, "http://"+address+"/?call=api")
	var got answer
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if got.Release != "shop-1" || got.Version != "1.0.0" || got.Component != "web" || got.Config != "hello" {
		t.Errorf("identity %+v", got.identity)
	}
	if header.Get(headerVersion) != "1.0.0" || header.Get(headerRelease) != "shop-1" || header.Get(headerPod) == "" {
		t.Errorf("headers %v", header)
	}
	if !strings.Contains(string(got.Calls["api"]), `"version":"1.0.0"`) {
		t.Errorf("calls %s", got.Calls["api"])
	}
	if status, _, _ := get(t, "http://"+address+"/healthz"); status != http.StatusNoContent {
		t.Errorf("healthz answered %d", status)
	}
	if err := terminate(); err != nil {
		t.Error(err)
	}
}

// Calls are answered by the port that answers requests.
func TestCallsSayWhoAnswers(t *testing.T) {
	t.Setenv("STRATA_RELEASE", "shop-1")
	t.Setenv("STRATA_VERSION", "1.0.0")
	address, terminate := start(t, "--fail-after=2")
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for call := 1; call <= 3; call++ {
		var who metadata.MD
		_, err := healthpb.NewHealthClient(connection).Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.Header(&who))
		if version := who.Get(headerVersion); len(version) != 1 || version[0] != "1.0.0" {
			t.Errorf("call %d answered by %v", call, version)
		}
		if broken := status.Code(err) == codes.Internal; broken != (call == 3) || err != nil && !broken {
			t.Errorf("call %d: %v", call, err)
		}
	}
	if err := terminate(); err != nil {
		t.Error(err)
	}
}

func TestTwoVersionsInOneRequestFail(t *testing.T) {
	t.Setenv("STRATA_VERSION", "1.0.0")
	api, _ := start(t)
	get(t, "http://"+api+"/")
	t.Setenv("STRATA_VERSION", "2.0.0")
	web, _ := start(t, "--component=web")
	get(t, "http://"+web+"/")
	t.Setenv("STRATA_HOST_API", api)
	if status, _, body := get(t, "http://"+web+"/?call=api"); status != http.StatusBadGateway || !strings.Contains(body, "1.0.0") {
		t.Errorf("answered %d %s", status, body)
	}
	connection, err := grpc.NewClient("passthrough:///"+web, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for sibling, want := range map[string]codes.Code{"": codes.OK, "api": codes.Unavailable} {
		if _, err := healthpb.NewHealthClient(connection).Check(t.Context(), &healthpb.HealthCheckRequest{Service: sibling}); status.Code(err) != want {
			t.Errorf("called %q: %v", sibling, err)
		}
	}
}

func TestKeepsServingWhileTerminating(t *testing.T) {
	address, terminate := start(t, "--linger=2s") // Long, for a machine that is busy meanwhile.
	get(t, "http://"+address+"/")
	done := make(chan error, 1)
	go func() { done <- terminate() }()
	time.Sleep(100 * time.Millisecond)
	if status, _, _ := get(t, "http://"+address+"/"); status != http.StatusOK {
		t.Errorf("a terminating application answered %d", status)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	address, _ := start(t, "--fail-after=2", "--selfcheck-fail-after=1")
	for i, want := range []int{200, 200, 500, 500} {
		if status, _, _ := get(t, "http://"+address+"/"); status != want {
			t.Errorf("request %d answered %d, want %d", i+1, status, want)
		}
	}
	if status, _, body := get(t, "http://"+address+"/selfcheck"); status != 503 || !strings.Contains(body, "request 1") {
		t.Errorf("selfcheck answered %d %s", status, body)
	}
	if status, _, _ := get(t, "http://"+address+"/healthz"); status != http.StatusNoContent {
		t.Errorf("healthz answered %d", status)
	}
	address, _ = start(t, "--never-ready")
	if status, _, _ := get(t, "http://"+address+"/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("healthz of one that is never ready answered %d", status)
	}
}

func TestCrash(t *testing.T) {
	err := run(context.Background(), []string{"serve", "--crash=out of luck", "--crash-code=7"})
	if err == nil || err.Error() != "out of luck" || exitCode(err) != 7 {
		t.Errorf("crash: %v, code %d", err, exitCode(err))
	}
}

func TestChecks(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/broken" && asked > 3 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"version":"2.0.0"}`)
	}))
	defer server.Close()
	t.Setenv("STRATA_HOST_WEB", strings.TrimPrefix(server.URL, "http://"))
	t.Setenv("STRATA_VERSION", "2.0.0")

	for _, c := range []struct {
		args string
		want string // "": passes
	}{
		{"test smoke", ""},
		{"test smoke --component=api", "STRATA_HOST_API is not set"},
		{"test errors --requests=5 --interval=0s", ""},
		{"test errors --requests=10 --interval=0s --path=/broken", "answered 500"},
		{"test errors --requests=0", "must be 1..100000"},
		{"test fail --message=no-stock", "check 3: no-stock"},
		{"test nothing", "needs the kind of test"},
		{"work", "--queue is needed"},
		{"dance", "no command"},
	} {
		err := run(context.Background(), strings.Fields(c.args))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.args, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
	t.Setenv("STRATA_VERSION", "3.0.0")
	if err := run(context.Background(), []string{"test", "smoke"}); err == nil {
		t.Error("smoke passed although another version answered")
	}
}

func TestQueueSaysWhoTakesItems(t *testing.T) {
	lines := &strings.Builder{}
	server := httptest.NewServer(handOut(lines))
	defer server.Close()
	t.Setenv("STRATA_VERSION", "1.0.0")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := run(ctx, []string{"work", "--queue=" + server.URL, "--interval=10ms"}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	var first Taken
	if err := json.NewDecoder(strings.NewReader(lines.String())).Decode(&first); err != nil {
		t.Fatal(err)
	}
	if first.Item != 1 || first.Version != "1.0.0" || first.Pod == "" || first.Time.IsZero() {
		t.Errorf("%+v", first)
	}
}
