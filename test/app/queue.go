package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Taken is a line of `app queue`: an item, who took it, and when.
type Taken struct {
	Item    int       `json:"item"`
	Version string    `json:"version"`
	Pod     string    `json:"pod"`
	Time    time.Time `json:"time"`
}

// queue hands an item to whoever asks for one, and writes a line for each.
func queue(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("app queue", flag.ContinueOnError)
	listen := f.String("listen", ":8080", "address to hand out items on")
	if err := f.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", *listen, err)
	}
	server := &http.Server{Handler: handOut(os.Stdout), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("hand out items: %w", err)
	}
	return nil
}

func handOut(lines io.Writer) http.Handler {
	var lock sync.Mutex
	item, encoder := 0, json.NewEncoder(lines)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		item++
		taken := Taken{Item: item, Version: r.Header.Get(headerVersion), Pod: r.Header.Get(headerPod), Time: time.Now()}
		if err := encoder.Encode(taken); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintln(w, item)
	})
}

// work takes an item every interval, until ctx is done. A queue that does not answer
// is asked again.
func work(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("app work", flag.ContinueOnError)
	url := f.String("queue", "", "where the queue hands out items")
	interval := f.Duration("interval", 100*time.Millisecond, "time between items")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *url == "" {
		return errors.New("app work: --queue is needed")
	}
	id, err := whoAmI(options{})
	if err != nil {
		return err
	}
	ticks := time.NewTicker(*interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if err := take(ctx, *url, id); err != nil && ctx.Err() == nil {
			log.Printf("no item: %v", err)
		}
	}
}

func take(ctx context.Context, url string, id identity) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return fmt.Errorf("take an item: %w", err)
	}
	request.Header.Set(headerVersion, id.Version)
	request.Header.Set(headerPod, id.Pod)
	response, err := siblings.Do(request)
	if err != nil {
		return fmt.Errorf("take an item: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("take an item: the queue answered %s", response.Status)
	}
	return nil
}
