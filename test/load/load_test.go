package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server answers every fourth request as version 2, the others as version 1, and
// every request as failing says.
func server(t *testing.T, failing *atomic.Bool) *httptest.Server {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := "1"
		if asked.Add(1)%4 == 0 {
			version = "2"
		}
		w.Header().Set("X-Version", version)
		if r.Host != "shop.example.test" || failing.Load() {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s
}

func TestShareAndFailures(t *testing.T) {
	var failing atomic.Bool
	s := server(t, &failing)
	c, err := Start(context.Background(), Options{URL: s.URL, Host: "shop.example.test", Rate: 1000, Workers: 8})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return len(c.Results()) >= 400 })
	failing.Store(true)
	brokenAt := time.Now()
	waitFor(t, func() bool { return len(c.Since(brokenAt)) >= 50 })
	c.Stop()

	rs := c.Results()
	if share := rs.Share("2"); share < 24 || share > 26 {
		t.Errorf("share of version 2: %.1f%% of %v", share, rs.Versions())
	}
	if n := len(rs.Between(time.Time{}, brokenAt.Add(-50*time.Millisecond)).Failures()); n > 0 {
		t.Errorf("%d failures before any was made", n)
	}
	failures := rs.Failures()
	if len(failures) < 40 || !strings.Contains(failures.Describe(1), "out of order") {
		t.Errorf("%d failures:\n%s", len(failures), failures.Describe(3))
	}
	fresh := len(rs.NewConnections())
	if share := 100 * fresh / len(rs); share < 30 || share > 70 {
		t.Errorf("%d of %d requests opened a connection", fresh, len(rs))
	}
	if len(rs.Last(10)) != 10 || rs.Percentile(99) <= 0 {
		t.Errorf("last 10: %d, p99 %s", len(rs.Last(10)), rs.Percentile(99))
	}
}

func TestBounds(t *testing.T) {
	var failing atomic.Bool
	s := server(t, &failing)
	c, err := Start(context.Background(), Options{URL: s.URL, Rate: 2000, MaxRequests: 20})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, c.Exhausted)
	c.Stop()
	if n := len(c.Results()); n != 20 {
		t.Errorf("%d requests, want 20", n)
	}
	for _, o := range []Options{{}, {URL: s.URL, Rate: 5000}, {URL: s.URL, Workers: -1}, {URL: "http://a b"}} {
		if c, err := Start(context.Background(), o); err == nil {
			c.Stop()
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestRate(t *testing.T) {
	var failing atomic.Bool
	s := server(t, &failing)
	c, err := Start(context.Background(), Options{URL: s.URL, Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	c.Stop()
	if n := len(c.Results()); n < 25 || n > 60 {
		t.Errorf("%d requests in 0.5 s at 100/s", n)
	}
}

// TestBrokenConnectionIsNotRetried answers the first request of each connection
// and closes it under the second one.
func TestBrokenConnectionIsNotRetried(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var connections atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer conn.Close()
				buffer := make([]byte, 4096)
				if _, err := conn.Read(buffer); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				_, _ = conn.Read(buffer)
			}()
		}
	}()
	client := &http.Client{Transport: &http.Transport{}}
	c := &Client{options: Options{URL: "http://" + listener.Addr().String(), Timeout: time.Second}}
	first, second := c.ask(context.Background(), client), c.ask(context.Background(), client)
	if first.Failed() || !first.NewConnection {
		t.Errorf("first request: %s", first)
	}
	if !second.Failed() || connections.Load() != 1 {
		t.Errorf("the second request was repeated over %d connections: %s", connections.Load(), second)
	}
}

func TestAllFrom(t *testing.T) {
	start := time.Now()
	var rs Results
	for i, version := range []string{"1", "2", "1", "2", "2", "2"} {
		rs = append(rs, Result{Start: start.Add(time.Duration(i) * time.Second), Version: version, Status: 200})
	}
	if at, ok := rs.AllFrom("2"); !ok || !at.Equal(start.Add(3*time.Second)) {
		t.Errorf("all on 2 from %s, %t", at, ok)
	}
	if _, ok := rs.AllFrom("1"); ok {
		t.Error("all on 1, which did not answer the newest request")
	}
	if n := len(rs.Between(start.Add(time.Second), start.Add(3*time.Second))); n != 2 {
		t.Errorf("%d requests in two seconds", n)
	}
	if _, ok := (Results{}).AllFrom("1"); ok {
		t.Error("all of no requests")
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
	}
}
