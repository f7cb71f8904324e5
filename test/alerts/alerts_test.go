// Package alerts holds the alerts and the dashboard of config/prometheus to what the
// operator really exposes: it runs as a program against a real API server, each fault is
// played, and Prometheus' own engine evaluates the rules over what was scraped meanwhile.
package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/certs"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

type ctx = context.Context

// rule of alerts.yaml, as far as it is read here.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// ruleFile is what a Prometheus reads of the PrometheusRule.
func ruleFile(t *testing.T) map[string]any {
	t.Helper()
	var object struct{ Spec map[string]any }
	if err := yaml.Unmarshal(must(os.ReadFile(filepath.Join(repository, "config", "prometheus", "alerts.yaml")))(t), &object); err != nil {
		t.Fatal(err)
	}
	return object.Spec
}

func allRules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(must(yaml.Marshal(ruleFile(t)))(t), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

const runbooks = "https://github.com/strata-release/strata/blob/main/docs/runbooks/"

func TestEveryAlertHasARunbook(t *testing.T) {
	pages := map[string]bool{}
	for _, path := range must(filepath.Glob(filepath.Join(repository, "docs", "runbooks", "Strata*.md")))(t) {
		pages[strings.TrimSuffix(filepath.Base(path), ".md")] = true
	}
	list := string(must(os.ReadFile(filepath.Join(repository, "docs", "runbooks", "README.md")))(t))
	for _, r := range allRules(t) {
		if !pages[r.Alert] || r.Annotations["runbook_url"] != runbooks+r.Alert+".md" {
			t.Errorf("%s has the runbook %s, want docs/runbooks/%s.md", r.Alert, r.Annotations["runbook_url"], r.Alert)
		}
		delete(pages, r.Alert)
		row := regexp.MustCompile(`(?m)^\| \[` + r.Alert + `\]\(` + r.Alert + `\.md\) \| .* \| ` + r.Labels["severity"] + ` \|$`)
		if !row.MatchString(list) {
			t.Errorf("docs/runbooks/README.md has no row of %s with its severity, %s", r.Alert, r.Labels["severity"])
		}
		if r.For == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks for, summary or description", r.Alert)
		}
	}
	for page := range pages {
		t.Errorf("docs/runbooks/%s.md is of no alert", page)
	}
}

// dashboard is every query of the dashboard, by the title of its panel.
func dashboard(t *testing.T) map[string][]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(repository, "config", "prometheus", "dashboard.json")))(t), &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*")
	queries := map[string][]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title] = append(queries[panel.Title], variables.Replace(target.Expr))
		}
	}
	if len(queries) < 10 {
		t.Fatalf("the dashboard has the panels %v", slices.Sorted(maps.Keys(queries)))
	}
	return queries
}

// TestEveryAlertFires plays the fault of each alert, and none.
func TestEveryAlertFires(t *testing.T) {
	i := install(t)
	fired, recordings := map[string]bool{}, []*recording{}
	// expect that these fire after what was played, and nothing else.
	expect := func(what string, meanwhile func(), wanted ...string) map[string][]labels.Labels {
		t.Helper()
		r := i.record(meanwhile)
		recordings = append(recordings, r)
		firing := r.firing(t)
		slices.Sort(wanted)
		if got := slices.Sorted(maps.Keys(firing)); !slices.Equal(got, wanted) {
			t.Errorf("%s: these alerts fire: %v, want %v", what, got, wanted)
		}
		for name := range firing {
			fired[name] = true
		}
		return firing
	}

	// Nobody has told the operator of an installation so far.
	const alone = "StrataGuardsNotCompared"
	i.start()
	i.untilLeads()
	i.expectDebugPages()
	i.rollOut("settled")
	i.breakLog("log")
	i.breakBaseline("baseline")
	i.holdAttempt("held")
	i.changeAgain("changed")
	firing := expect("tracks that need somebody", nil, alone, "StrataLogBroken", "StrataBaselineDown", "StrataAttemptHeld", "StrataChangedAgain")
	for alert, of := range map[string]string{"StrataLogBroken": "log", "StrataBaselineDown": "baseline", "StrataAttemptHeld": "held", "StrataChangedAgain": "changed"} {
		if len(firing[alert]) != 1 || firing[alert][0].Get("namespace") != of || firing[alert][0].Get("track") != harness.TrackName {
			t.Errorf("%s fires for %v, want %s/%s", alert, firing[alert], of, harness.TrackName)
		}
	}
	for _, of := range []string{"log", "baseline", "held", "changed"} {
		i.deleteTrack(of)
	}

	i.refuse("ClusterRole", "releaserecords", "create", func() {
		i.newNamespace("refused")
		i.create(i.NewTrack("refused"), i.NewRelease("refused", "1.0.0"))
		label := 0
		expect("records are refused", func() {
			label++
			i.patch(&v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: "refused", Name: harness.TrackName}}, fmt.Sprintf(`{"spec":{"retention":{"warmSeconds":%d}}}`, 1000+label))
		}, alone, "StrataTracksFail")
	})
	i.deleteTrack("refused")
	i.stop()

	for n := range 40 {
		name := fmt.Sprintf("busy-%d", n)
		i.newNamespace(name)
		i.create(i.NewTrack(name), i.NewRelease(name, "1.0.0"))
	}
	i.start("--kube-api-qps=0.2", "--kube-api-burst=100", "--max-concurrent-reconciles=1")
	i.untilLeads()
	i.until("tracks wait", func() bool {
		return regexp.MustCompile(`(?m)^workqueue_depth\{controller="track".*\} [2-9]\d$`).MatchString(i.get("/metrics", i.token).body)
	})
	expect("too few requests a second", nil, alone, "StrataFallsBehind")
	i.stop()

	i.refuse("Role", "secrets", "update", func() {
		i.ageCertificate(55 * 24 * time.Hour)
		i.start()
		i.untilLeads()
		expect("the certificate cannot be renewed", nil, alone, "StrataCertificateExpires")
		i.stop()
	})

	expect("no replica runs", nil, "StrataNobodyLeads")
	lease := i.takeLease()
	i.start()
	expect("a lease that nobody works for", nil, "StrataNobodyLeads")
	if err := i.Client.Delete(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	i.untilLeads()
	i.until("all tracks are settled", i.allSettled)

	i.newNamespace("asked")
	i.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: guards.InstallationName},
		Data:       map[string]string{"webhookURL": fmt.Sprintf("https://127.0.0.1:%d", i.webhookPort)},
	})
	i.until("guards are compared", func() bool { return strings.Contains(i.get("/metrics", i.token).body, "\nstrata_guards_left 0\n") })
	expect("nothing", func() {
		// Admission is asked, and nothing comes of it.
		if err := i.Client.Create(t.Context(), i.NewTrack("asked"), client.DryRunAll); err != nil {
			t.Fatal(err)
		}
	})
	i.fightGuard()
	expect("a guard is written again and again", nil, "StrataGuardsLeft")

	for _, r := range allRules(t) {
		if !fired[r.Alert] {
			t.Errorf("%s never fired", r.Alert)
		}
	}
	for title, queries := range dashboard(t) {
		for _, query := range queries {
			if !slices.ContainsFunc(recordings, func(r *recording) bool { return r.query(t, query) > 0 }) {
				t.Errorf("the dashboard's %q is empty, whatever happens: %s", title, query)
			}
		}
	}
	expectKnownMetrics(t, recordings)
}

// expectKnownMetrics: rules and dashboard name only metrics that were scraped.
func expectKnownMetrics(t *testing.T, recordings []*recording) {
	t.Helper()
	expressions := slices.Concat(slices.Collect(maps.Values(dashboard(t)))...)
	for _, r := range allRules(t) {
		expressions = append(expressions, r.Expr)
	}
	for _, expression := range expressions {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				known := slices.ContainsFunc(recordings, func(r *recording) bool {
					return r.query(t, "last_over_time("+selector.Name+"[1h])") > 0
				})
				if !known {
					t.Errorf("no metric %s was ever scraped: %s", selector.Name, expression)
				}
			}
			return nil
		})
	}
}

func (i *installation) untilLeads() {
	i.t.Helper()
	i.until("it leads", func() bool {
		return strings.Contains(i.get("/metrics", i.token).body, `leader_election_master_status{name="strata-leader"} 1`)
	})
}

// expectDebugPages: they are for those who may get them.
func (i *installation) expectDebugPages() {
	i.t.Helper()
	for _, path := range []string{"/strata/debug/tracks", "/strata/debug/pprof/", "/strata/debug/pprof/heap", "/strata/debug/pprof/cmdline"} {
		if got := i.get(path, ""); got.status != http.StatusUnauthorized {
			i.t.Errorf("%s, without a token: %d, want 401", path, got.status)
		}
		if got := i.get(path, i.token); got.status != http.StatusOK || got.body == "" {
			i.t.Errorf("%s: %d %q, want 200 and a page", path, got.status, got.body)
		}
	}
	if page := i.get("/strata/debug/tracks", i.token).body; !strings.Contains(page, "leads: yes") || !strings.Contains(page, " workers look at one\n") || !strings.Contains(page, " ReleaseTrack\n") {
		i.t.Errorf("the page of a replica that leads is\n%s", page)
	}
}

func (i *installation) newNamespace(name string) {
	i.t.Helper()
	i.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// goLive settles a track on 1.0.0.
func (i *installation) goLive(namespace string, options ...harness.TrackOption) {
	i.t.Helper()
	i.newNamespace(namespace)
	i.create(i.NewTrack(namespace, append(options, func(t *v1alpha1.ReleaseTrack) { *t.Spec.Traffic.DrainSeconds = 0 })...), i.NewRelease(namespace, "1.0.0"))
	i.untilServed(namespace, "1.0.0")
}

// untilServed waits until the track is settled on a version.
func (i *installation) untilServed(namespace, version string) {
	i.t.Helper()
	i.until(version+" serves in "+namespace, func() bool {
		stable := must(i.Track(i.t.Context(), namespace))(i.t).Status.StableReleaseName
		return stable == harness.ReleaseName(version) && i.reason(namespace, v1alpha1.ConditionReady) == "Settled"
	})
}

func (i *installation) reason(namespace, condition string) string {
	i.t.Helper()
	line := harness.ConditionLine(must(i.Track(i.t.Context(), namespace))(i.t).Status.Conditions, condition)
	_, reason, _ := strings.Cut(line, " ")
	return strings.Split(reason, ":")[0]
}

func (i *installation) untilReason(namespace, condition, reason string) {
	i.t.Helper()
	i.until(fmt.Sprintf("track %s is %s", namespace, reason), func() bool { return i.reason(namespace, condition) == reason })
}

func (i *installation) allSettled() bool {
	list := &v1alpha1.ReleaseTrackList{}
	if err := i.Client.List(i.t.Context(), list); err != nil {
		i.t.Fatal(err)
	}
	for _, track := range list.Items {
		if track.Status.StableReleaseName == "" || i.reason(track.Namespace, v1alpha1.ConditionReady) != "Settled" {
			return false
		}
	}
	return len(list.Items) > 0
}

func (i *installation) rollOut(namespace string) {
	i.t.Helper()
	i.goLive(namespace, harness.Steps(harness.Step(50, 3))) // Held for long enough to be a stage that is measured.
	i.create(i.NewRelease(namespace, "2.0.0", i.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	i.untilServed(namespace, "2.0.0")
}

// breakLog deletes a record past the guards, of which there are none yet.
func (i *installation) breakLog(namespace string) {
	i.t.Helper()
	i.goLive(namespace)
	records := must(i.Records(i.t.Context(), namespace, harness.TrackName))(i.t)
	if err := i.Client.Delete(i.t.Context(), &records[len(records)/2]); err != nil {
		i.t.Fatal(err)
	}
	i.untilReason(namespace, v1alpha1.ConditionStalled, "LogBroken")
}

// breakBaseline takes the route away while nothing could serve it.
func (i *installation) breakBaseline(namespace string) {
	i.t.Helper()
	i.goLive(namespace)
	i.PlayPods(namespace, func(*appsv1.Deployment) cluster.Pods { return cluster.Pods{Unready: true} })
	i.untilReason(namespace, v1alpha1.ConditionAvailable, "NoReadyEndpoints")
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: harness.TrackName + "-public"}}
	if err := i.Client.Delete(i.t.Context(), route); err != nil {
		i.t.Fatal(err)
	}
	i.untilReason(namespace, v1alpha1.ConditionStalled, "BaselineDown")
}

// holdAttempt has a release fail with traffic on a track that holds failures.
func (i *installation) holdAttempt(namespace string) {
	i.t.Helper()
	i.goLive(namespace, harness.Steps(harness.Step(20, 0), harness.Step(50, 0)), harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.FailurePolicy = v1alpha1.FailureHold }))
	i.PlayTests(namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Fails: true, Says: "answered 500"} })
	i.create(i.NewRelease(namespace, "2.0.0", i.Test("probe", v1alpha1.EveryStep, 60)))
	i.untilReason(namespace, v1alpha1.ConditionStalled, "TestFailed")
}

// changeAgain writes a Deployment as often as it is put right, and once more.
func (i *installation) changeAgain(namespace string) {
	i.t.Helper()
	i.goLive(namespace)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: harness.ReleaseName("1.0.0") + "-web"}}
	i.until("the Deployment is left", func() bool {
		if err := i.Client.Get(i.t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
			i.t.Fatal(err)
		}
		if deployment.Spec.Template.Annotations["rogue"] == "" {
			i.patch(deployment, `{"spec":{"template":{"metadata":{"annotations":{"rogue":"was here"}}}}}`)
		}
		return i.reason(namespace, v1alpha1.ConditionStalled) == "ChangedAgain"
	})
}

// deleteTrack deletes a track with all of its releases, as nobody may where there are guards.
func (i *installation) deleteTrack(namespace string) {
	i.t.Helper()
	for _, kind := range []client.Object{&v1alpha1.ReleaseTrack{}, &v1alpha1.ImmutableRelease{}, &v1alpha1.ReleaseRecord{}} {
		if err := i.Client.DeleteAllOf(i.t.Context(), kind, client.InNamespace(namespace)); err != nil {
			i.t.Fatal(err)
		}
	}
	series := fmt.Sprintf(`strata_track_weight_percent{namespace=%q`, namespace)
	i.until("the series of track "+namespace+" are gone", func() bool { return !strings.Contains(i.get("/metrics", i.token).body, series) })
}

// refuse takes a verb from the operator's role while something is played.
func (i *installation) refuse(kind, resource, verb string, meanwhile func()) {
	i.t.Helper()
	var held client.Object = &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role}}
	if kind == "Role" {
		held = &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role}}
	}
	if err := i.Client.Get(i.t.Context(), client.ObjectKeyFromObject(held), held); err != nil {
		i.t.Fatal(err)
	}
	less := held.DeepCopyObject().(client.Object)
	rules := func(object client.Object) *[]rbacv1.PolicyRule {
		if r, ok := object.(*rbacv1.Role); ok {
			return &r.Rules
		}
		return &object.(*rbacv1.ClusterRole).Rules
	}
	for n := range *rules(less) {
		if rule := &(*rules(less))[n]; slices.Contains(rule.Resources, resource) {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(v string) bool { return v == verb })
		}
	}
	if err := i.Client.Update(i.t.Context(), less); err != nil {
		i.t.Fatal(err)
	}
	meanwhile()
	*rules(less) = *rules(held)
	if err := i.Client.Update(i.t.Context(), less); err != nil {
		i.t.Fatal(err)
	}
}

// ageCertificate puts one into the Secret that was made so long ago.
func (i *installation) ageCertificate(by time.Duration) {
	i.t.Helper()
	secret := &corev1.Secret{}
	if err := i.Client.Get(i.t.Context(), client.ObjectKey{Namespace: namespace, Name: "strata-webhook-tls"}, secret); err != nil {
		i.t.Fatal(err)
	}
	old, _, _, err := certs.Renew(certs.Material{}, []string{"127.0.0.1"}, certs.DefaultLifetimes, time.Now().Add(-by))
	if err != nil {
		i.t.Fatal(err)
	}
	secret.Data = map[string][]byte{"ca.crt": old.Bundle, "ca.key": old.AuthorityKey, corev1.TLSCertKey: old.Certificate, corev1.TLSPrivateKeyKey: old.Key}
	if err := i.Client.Update(i.t.Context(), secret); err != nil {
		i.t.Fatal(err)
	}
}

// takeLease has somebody hold the operator's Lease who does no work.
func (i *installation) takeLease() *coordinationv1.Lease {
	i.t.Helper()
	lease := &coordinationv1.Lease{}
	if err := i.Client.Get(i.t.Context(), client.ObjectKey{Namespace: namespace, Name: "strata-leader"}, lease); err != nil {
		i.t.Fatal(err)
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To("somebody"), ptr.To[int32](3600)
	lease.Spec.RenewTime = ptr.To(metav1.NowMicro())
	if err := i.Client.Update(i.t.Context(), lease); err != nil {
		i.t.Fatal(err)
	}
	return lease
}

// fightGuard writes a guard as often as it is put right, and once more.
func (i *installation) fightGuard() {
	i.t.Helper()
	i.until("the guard is left", func() bool {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
		if err := i.Client.Get(i.t.Context(), client.ObjectKey{Name: "strata-deployments"}, binding); err != nil {
			i.t.Fatal(err)
		}
		if slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny) {
			i.patch(binding, `{"spec":{"validationActions":["Warn"]}}`)
		}
		return strings.Contains(i.get("/metrics", i.token).body, "\nstrata_guards_left 1\n")
	})
}
