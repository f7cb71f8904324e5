package plugin

import (
	"bytes"
	"flag"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func at(seconds int) *metav1.Time {
	return &metav1.Time{Time: noon.Add(time.Duration(seconds) * time.Second)}
}

// shop is a track on which much goes on.
func shop() *trackView {
	pods := []podView{{Name: "web-0", Phase: "Running", Trouble: "ErrImagePull: not\nfound\x1b[2J"}, {Name: "web-1", Phase: "Terminating", Ready: true}, {Name: "web-2", Phase: "Pending"}}
	for _, name := range strings.Split("abcdefg", "") {
		pods = append(pods, podView{Name: "web-" + name, Phase: "Running", Ready: true})
	}
	return &trackView{
		Namespace: "shop", Name: "shop", Stage: "Shifting", Stable: "shop-1-0-0", Candidate: "shop-2-0-0", Attempt: 2,
		NextWeightPercent: 50, NextStepTime: at(192),
		BlockedBy: &v1alpha1.BlockedBy{Gate: "HoldOver", Reason: "Holding", Message: "at 20 %, held until 2026-01-31T12:03:12Z"},
		Idle:      3,
		Releases: []releaseView{
			{Name: "shop-2-0-0", Version: "2.0.0", Role: roleCandidate, WeightPercent: 20,
				Components: []componentView{{Name: "web", Replicas: 9, ReadyReplicas: 7, Pods: pods}, {Name: "worker"}},
				Tests: []v1alpha1.TestStatus{
					{Name: "smoke", Outcome: v1alpha1.TestPassed, StartTime: at(-90), CompletionTime: at(-78)},
					{Name: "errors", WeightPercent: ptr.To[int32](20), Outcome: v1alpha1.TestRunning, StartTime: at(-3)},
					{Name: "old", Outcome: v1alpha1.TestFailed, Message: "exit code 1:\n2 of 3 failed"},
				}},
			{Name: "shop-1-0-0", Version: "1.0.0", Role: roleStable, WeightPercent: 80, Verdict: "Promoted",
				Components: []componentView{{Name: "web", Replicas: 2, ReadyReplicas: 2}}},
		},
	}
}

func TestTree(t *testing.T) {
	golden(t, "tree", shop().tree(style{}, noon))
	golden(t, "tree-colours", shop().tree(style{colours: true}, noon))
	golden(t, "tree-new", (&trackView{Namespace: "shop", Name: "shop", Unseen: "pods: you may not list them in namespace shop"}).tree(style{}, noon))
}

// TestTextOfOthersMovesNoCursor: what pods and tests write is one line, and plain.
func TestTextOfOthersMovesNoCursor(t *testing.T) {
	if text := shop().tree(style{}, noon); strings.Contains(text, "\x1b") || !strings.Contains(text, "not found [2J") {
		t.Error(text)
	}
}

func TestBar(t *testing.T) {
	for percent, filled := range map[int32]int{0: 0, 1: 1, 5: 1, 50: 10, 99: 19, 100: 20} {
		if got := strings.Count(bar(percent), "█"); got != filled {
			t.Errorf("%d %%: %d of 20, want %d", percent, got, filled)
		}
	}
}

// TestScreen plays what is drawn on a terminal of its own: afterwards it shows the last
// text, cut to its size, and nothing was blank in between.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	show := screen{out: &out}
	tty := &tinyTerminal{}
	for _, text := range []string{"one\ntwo\nthree\n", "1\n", "a line that is too long\ntwo\n\x1b[31mred as well as long\x1b[0m\n4\n5\n6\n7\n"} {
		out.Reset()
		if err := show.draw(text, 10, 6); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "\x1b[2J") {
			t.Error("the screen was cleared")
		}
		tty.write(out.String())
	}
	if got, want := strings.Join(tty.lines, "\n"), "a line tha\ntwo\nred as wel\n4\n...\n"; got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// tinyTerminal knows the codes that are used.
type tinyTerminal struct {
	lines    []string
	row, col int
}

func (t *tinyTerminal) write(text string) {
	for len(text) > 0 {
		for len(t.lines) <= t.row {
			t.lines = append(t.lines, "")
		}
		line := t.lines[t.row]
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text, "AKJm")
			n := 0
			for _, digit := range text[2:end] {
				n = n*10 + int(digit-'0')
			}
			switch text[end] {
			case 'A':
				t.row -= n
			case 'K':
				t.lines[t.row] = line[:min(t.col, len(line))]
			case 'J':
				t.lines = append(t.lines[:t.row:t.row], line[:min(t.col, len(line))])
			}
			text = text[end+1:]
		case text[0] == '\n':
			t.row, text = t.row+1, text[1:]
		case text[0] == '\r':
			t.col, text = 0, text[1:]
		default:
			t.lines[t.row] = line[:min(t.col, len(line))] + text[:1] + line[min(t.col+1, len(line)):]
			t.col, text = t.col+1, text[1:]
		}
	}
}
