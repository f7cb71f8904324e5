package binaries

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress tells how one build of several goes: its label, the packages
// compiled so far, and the time that it and all before it took. On a terminal
// it keeps to one line; elsewhere it prints a line now and then.
type progress struct {
	out   io.Writer
	label string
	all   time.Time // when the first build started

	mu       sync.Mutex
	start    time.Time
	packages int
	last     []string
	stop     chan struct{}
	stopped  sync.WaitGroup
}

const keptLines = 30

func newProgress(out io.Writer, label string, all time.Time) *progress {
	return &progress{out: out, label: label, all: all, stop: make(chan struct{})}
}

// Write takes the build's output: a package's path a line, or errors.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packages += bytes.Count(b, []byte("\n"))
	p.last = append(p.last, strings.Split(strings.TrimRight(string(b), "\n"), "\n")...)
	if extra := len(p.last) - keptLines; extra > 0 {
		p.last = p.last[extra:]
	}
	return len(b), nil
}

func (p *progress) begin() {
	p.start = time.Now()
	terminal := isTerminal(p.out)
	interval := 15 * time.Second
	if terminal {
		interval = time.Second
	}
	p.stopped.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.print(terminal, "...")
			}
		}
	})
}

func (p *progress) end(err error) {
	close(p.stop)
	p.stopped.Wait()
	result := "done"
	if err != nil {
		result = "failed"
	}
	terminal := isTerminal(p.out)
	p.print(terminal, result)
	if terminal {
		fmt.Fprintln(p.out)
	}
}

func (p *progress) print(terminal bool, result string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%-34s %-6s %5d packages compiled, %4s (%s in all)", p.label, result, p.packages,
		time.Since(p.start).Round(time.Second), time.Since(p.all).Round(time.Second))
	if terminal {
		fmt.Fprintf(p.out, "\r\033[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

// tail is the end of the build's output, where its errors are.
func (p *progress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.last, "\n")
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
