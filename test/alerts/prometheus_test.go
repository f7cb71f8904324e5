package alerts

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"
	"sigs.k8s.io/yaml"
)

// A second of a fault stands for several minutes: scrapes are taken every scrapeEvery and
// are scrapedEvery apart for Prometheus, scrapes times.
const (
	scrapeEvery  = 250 * time.Millisecond
	scrapedEvery = time.Minute
	scrapes      = 45
)

// recording is what Prometheus has scraped while something was played.
type recording struct {
	storage *teststorage.TestStorage
	engine  *promql.Engine
	end     time.Time
}

// record scrapes while meanwhile is done again and again; it may be nil.
func (i *installation) record(meanwhile func()) *recording {
	i.t.Helper()
	r := &recording{
		storage: teststorage.New(i.t),
		engine:  promql.NewEngine(promql.EngineOpts{MaxSamples: 1 << 20, Timeout: time.Minute, LookbackDelta: 5 * time.Minute}),
	}
	i.t.Cleanup(func() { _ = r.engine.Close() })
	r.end = time.Now()
	for range scrapes {
		began := time.Now()
		if meanwhile != nil {
			meanwhile()
		}
		// While no replica runs, nothing is scraped.
		if i.process != nil {
			said := i.get("/metrics", i.token)
			if said.status != http.StatusOK {
				i.t.Fatalf("the operator is not scraped: %d", said.status)
			}
			r.append(i.t, said.body)
		}
		r.end = r.end.Add(scrapedEvery)
		time.Sleep(scrapeEvery - time.Since(began))
	}
	r.end = r.end.Add(-scrapedEvery)
	return r
}

// append stores a scrape, with the labels of its target.
func (r *recording) append(t *testing.T, exposed string) {
	t.Helper()
	parser := must(textparse.New([]byte(exposed), "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{}))(t)
	appender := r.storage.Appender(t.Context())
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := parser.Series()
		var series labels.Labels
		parser.Labels(&series)
		// As honorLabels has it: what the operator says of a namespace stays.
		b := labels.NewBuilder(series)
		for name, target := range map[string]string{"job": "strata-metrics", "instance": "127.0.0.1:8443", "pod": "strata-manager-0", "namespace": namespace} {
			if series.Get(name) == "" {
				b.Set(name, target)
			}
		}
		if _, err := appender.Append(0, b.Labels(), r.end.UnixMilli(), value); err != nil {
			t.Fatal(err)
		}
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
}

// firing evaluates the rules of config/prometheus each minute, and gives the alerts that
// fire in the end, with their labels.
func (r *recording) firing(t *testing.T) map[string][]labels.Labels {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, must(yaml.Marshal(ruleFile(t)))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	manager := rules.NewManager(&rules.ManagerOptions{
		Context: t.Context(), AppendableV2: r.storage, Queryable: r.storage, QueryFunc: rules.EngineQueryFunc(r.engine, r.storage),
		ExternalURL: &url.URL{}, NotifyFunc: func(ctx, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(),
	})
	groups, errs := manager.LoadGroups(scrapedEvery, labels.EmptyLabels(), "", nil, false, file)
	if len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	firing := map[string][]labels.Labels{}
	for _, group := range groups {
		for minute := scrapes - 1; minute >= 0; minute-- {
			group.Eval(t.Context(), r.end.Add(-time.Duration(minute)*scrapedEvery))
		}
		for _, rule := range group.AlertingRules() {
			if rule.LastError() != nil {
				t.Errorf("%s: %v", rule.Name(), rule.LastError())
			}
			for _, alert := range rule.ActiveAlerts() {
				if alert.State == rules.StateFiring {
					firing[rule.Name()] = append(firing[rule.Name()], alert.Labels)
					expectTold(t, rule.Name(), alert.Annotations)
				}
			}
		}
	}
	return firing
}

// expectTold: the sentences of an alert have all of their values.
func expectTold(t *testing.T, name string, annotations labels.Labels) {
	t.Helper()
	annotations.Range(func(l labels.Label) {
		if strings.Contains(l.Value, "error expanding") || strings.Contains(l.Value, "no value") || strings.Contains(l.Value, "{{") {
			t.Errorf("%s: %s: %s", name, l.Name, l.Value)
		}
	})
}

// query at the end of the recording.
func (r *recording) query(t *testing.T, expression string) int {
	t.Helper()
	query, err := r.engine.NewInstantQuery(t.Context(), r.storage, nil, expression, r.end)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	if result.Err != nil {
		t.Fatalf("%s: %v", expression, result.Err)
	}
	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return len(vector)
}
