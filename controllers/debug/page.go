package debug

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// prefix of all paths.
const prefix = "/strata/debug/"

// Pages are what is shown.
type Pages struct {
	// Version of the operator.
	Version string
	// Cache is read from; Kinds are empty lists of what of it is counted.
	Cache client.Reader
	Kinds func() []client.ObjectList
	// Elected is closed once this replica leads.
	Elected <-chan struct{}
	Looks   *Looks
	// Metrics are the operator's own.
	Metrics prometheus.Gatherer
}

// Handlers by path. None asks who is there: the server that they are given to does.
func (p *Pages) Handlers() map[string]http.Handler {
	profiles := func(serve http.HandlerFunc) http.Handler { return http.StripPrefix("/strata", serve) }
	return map[string]http.Handler{
		prefix + "tracks":        http.HandlerFunc(p.tracks),
		prefix + "pprof/":        profiles(pprof.Index),
		prefix + "pprof/cmdline": profiles(pprof.Cmdline),
		prefix + "pprof/profile": profiles(pprof.Profile),
		prefix + "pprof/symbol":  profiles(pprof.Symbol),
		prefix + "pprof/trace":   profiles(pprof.Trace),
	}
}

// tracks answers with the page; ?namespace= shows the tracks of one.
func (p *Pages) tracks(w http.ResponseWriter, r *http.Request) {
	page := &bytes.Buffer{}
	if err := p.write(r.Context(), page, r.URL.Query().Get("namespace")); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = page.WriteTo(w) // Whoever asked has gone.
}

func (p *Pages) write(ctx context.Context, out io.Writer, namespace string) error {
	leads := "no: another replica moves tracks"
	select {
	case <-p.Elected:
		leads = "yes"
	default:
	}
	fmt.Fprintf(out, "strata %s\nleads: %s\n\n", p.Version, leads)
	if err := p.writeQueue(out); err != nil {
		return err
	}
	if err := p.writeCaches(ctx, out); err != nil {
		return err
	}
	return p.writeTracks(ctx, out, namespace)
}

// queue is what the metrics of the queue of tracks mean.
var queue = map[string]string{
	"workqueue_depth":                             "tracks wait to be looked at",
	"controller_runtime_active_workers":           "workers look at one",
	"workqueue_longest_running_processor_seconds": "seconds is how long the slowest of them has looked",
	"workqueue_retries_total":                     "looks were asked for again",
	"controller_runtime_reconcile_errors_total":   "looks ended in an error",
}

func (p *Pages) writeQueue(out io.Writer) error {
	families, err := p.Metrics.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	fmt.Fprintln(out, "queue:")
	for _, family := range families {
		meaning, shown := queue[family.GetName()]
		if !shown {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == "track" {
					fmt.Fprintf(out, "  %8.0f %s\n", m.GetGauge().GetValue()+m.GetCounter().GetValue(), meaning)
				}
			}
		}
	}
	fmt.Fprintln(out)
	return nil
}

func (p *Pages) writeCaches(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "caches:")
	for _, kind := range p.Kinds() {
		if err := p.Cache.List(ctx, kind, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("list %T: %w", kind, err)
		}
		name := fmt.Sprintf("%T", kind)
		fmt.Fprintf(out, "  %8d %s\n", meta.LenList(kind), strings.TrimSuffix(name[strings.LastIndex(name, ".")+1:], "List"))
	}
	fmt.Fprintln(out)
	return nil
}

func (p *Pages) writeTracks(ctx context.Context, out io.Writer, namespace string) error {
	list := &v1alpha1.ReleaseTrackList{}
	if err := p.Cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list tracks: %w", err)
	}
	there := map[types.NamespacedName]bool{}
	for i := range list.Items {
		there[client.ObjectKeyFromObject(&list.Items[i])] = true
	}
	p.Looks.forget(there)
	tracks := slices.DeleteFunc(slices.Clone(list.Items), func(t v1alpha1.ReleaseTrack) bool { return namespace != "" && t.Namespace != namespace })
	slices.SortFunc(tracks, func(a, b v1alpha1.ReleaseTrack) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TRACK\tSTAGE\tSTABLE\tCANDIDATE\tWEIGHT\tLOOKED AT\tTOOK\tAGAIN\tWAITS FOR")
	for i := range tracks {
		t := &tracks[i]
		s := &t.Status
		fmt.Fprintf(table, "%s/%s\t%s\t%s\t%s\t%d\t%s\t%s\n", t.Namespace, t.Name, stage(t), cmp.Or(s.StableReleaseName, "-"),
			cmp.Or(s.CandidateReleaseName, "-"), s.WeightPercent, p.looked(client.ObjectKeyFromObject(t)), waits(t, p.Looks))
	}
	return table.Flush()
}

func stage(t *v1alpha1.ReleaseTrack) string {
	if ready := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return "-"
}

// looked is three columns: how long ago, how long it took, and in how long again.
func (p *Pages) looked(track types.NamespacedName) string {
	last, ok := p.Looks.of(track)
	if !ok {
		return "-\t-\t-"
	}
	again, now := "-", p.Looks.now()
	if !last.next.IsZero() {
		again = "in " + max(last.next.Sub(now), 0).Round(time.Second).String()
	}
	return fmt.Sprintf("%s ago\t%s\t%s", now.Sub(last.ended).Round(time.Second), last.took.Round(time.Millisecond), again)
}

// waits is the error of the last look, else what keeps the weight from rising, in a line.
func waits(t *v1alpha1.ReleaseTrack, looks *Looks) string {
	text := "-"
	if blocked := t.Status.BlockedBy; blocked != nil {
		text = blocked.Gate + ": " + blocked.Message
	}
	if last, ok := looks.of(client.ObjectKeyFromObject(t)); ok && last.err != nil {
		text = "error: " + last.err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}
