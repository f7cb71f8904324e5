package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// options of `app serve`; the faults among them are in faults.go.
type options struct {
	listen     string
	component  string
	configFile string
	// linger is how long the server goes on accepting connections after SIGTERM:
	// routers learn that a pod is leaving only some time after the pod does.
	linger time.Duration
	// drain bounds the time that requests under way get after that.
	drain time.Duration
	faults
}

func parseServe(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("app serve", flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", ":8080", "address to serve on")
	f.StringVar(&o.component, "component", os.Getenv("COMPONENT"), "name to answer with")
	f.StringVar(&o.configFile, "config-file", "", "file whose content is shown as the config value; default: the variable GREETING")
	f.DurationVar(&o.linger, "linger", 5*time.Second, "how long to accept connections after SIGTERM")
	f.DurationVar(&o.drain, "drain", 15*time.Second, "how long requests under way may take after that")
	o.faults.register(f)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("app serve takes flags only, got %q", strings.Join(f.Args(), " "))
	}
	return o, nil
}

// serve answers HTTP and gRPC until ctx is done, then for linger more, then drains.
func serve(ctx context.Context, args []string) error {
	o, err := parseServe(args)
	if err != nil {
		return err
	}
	if err := o.faults.beforeStart(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	return serveOn(ctx, listener, o)
}

// serveOn serves on an open listener, which it closes.
func serveOn(ctx context.Context, listener net.Listener, o options) error {
	identity, err := whoAmI(o)
	if err != nil {
		return err
	}
	application := &application{identity: identity, faults: &o.faults, started: time.Now()}
	// gRPC comes over HTTP/2 without TLS, to the same port.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: application.routes(), ReadHeaderTimeout: 10 * time.Second, Protocols: protocols}
	log.Printf("serving on %s as %s %s %s", listener.Addr(), identity.Release, identity.Component, identity.Version)

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	crash, stopCrash := o.faults.crashTimer()
	defer stopCrash()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-crash:
		return &exitError{code: o.crashCode, message: o.crash}
	case <-ctx.Done():
	}
	return shutDown(server, failed, o)
}

// shutDown keeps accepting for o.linger, telling kept-alive clients to leave, and
// then ends without cutting off a request that is under way.
func shutDown(server *http.Server, failed <-chan error, o options) error {
	log.Printf("terminating: serving for %s more", o.linger)
	server.SetKeepAlivesEnabled(false)
	select {
	case err := <-failed:
		return fmt.Errorf("serve while terminating: %w", err)
	case <-time.After(o.linger):
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("drain: %w", err)
	}
	log.Print("drained")
	return nil
}
