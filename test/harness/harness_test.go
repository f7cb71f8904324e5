package harness

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/strata-release/strata/api/v1alpha1"
)

const auditLog = `{"stage":"ResponseComplete","verb":"create","requestURI":"/apis/apps/v1/namespaces/a/deployments","user":{"username":"op"},"objectRef":{"resource":"deployments","namespace":"a","name":"shop-1-web","apiGroup":"apps"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-11-23T05:00:01.000000Z"}
{"stage":"ResponseComplete","verb":"patch","requestURI":"/x","user":{"username":"op","extra":{"authentication.kubernetes.io/pod-name":["op-1"]}},"objectRef":{"resource":"releasetracks","namespace":"a","name":"shop","subresource":"status"},"responseStatus":{"code":409},"requestReceivedTimestamp":"2026-11-23T05:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"create","requestURI":"/x","user":{"username":"op"},"objectRef":{"resource":"events","namespace":"a"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-11-23T05:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"update","requestURI":"/x?dryRun=All","user":{"username":"op"},"objectRef":{"resource":"services","namespace":"a","name":"s"},"requestReceivedTimestamp":"2026-11-23T05:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"create","requestURI":"/x","user":{"username":"somebody"},"objectRef":{"resource":"pods","namespace":"a"},"requestReceivedTimestamp":"2026-11-23T05:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"delete","requestURI":"/x","user":{"username":"op"},"objectRef":{"resource":"jobs","namespace":"b","name":"j"},"requestReceivedTimestamp":"2026-11-23T05:00:02.000000Z"}
{"stage":"ResponseComplete","verb":"delete","user":{"usern`

func TestWritesOfOneUserInOneNamespace(t *testing.T) {
	writes, err := readWrites(strings.NewReader(auditLog), "op", "a", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, w := range writes {
		lines = append(lines, w.String()+w.Pod)
	}
	want := "05:00:01.000 create deployments shop-1-web 201; 05:00:02.000 patch releasetracks/status shop 409op-1"
	if got := strings.Join(lines, "; "); got != want {
		t.Errorf("writes %s\nwant   %s", got, want)
	}
	later, err := readWrites(strings.NewReader(auditLog), "op", "a", writes[1].Time)
	if err != nil || len(later) != 1 {
		t.Errorf("%d writes since the second, %v", len(later), err)
	}
}

func TestRequestsByVerbAndResource(t *testing.T) {
	watch := `{"stage":"STAGE","verb":"watch","user":{"username":"op"},"objectRef":{"resource":"pods","namespace":"a"},"requestReceivedTimestamp":"2026-11-23T05:00:03.000000Z"}` + "\n"
	log := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(log, []byte(strings.ReplaceAll(watch, "STAGE", "ResponseStarted")+strings.ReplaceAll(watch, "STAGE", "ResponseComplete")+auditLog), 0o600); err != nil {
		t.Fatal(err)
	}
	requests, err := (&Environment{AuditLog: log}).Requests("op", "a", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"create deployments": 1, "patch releasetracks/status": 1, "create events": 1, "update services, tried": 1, "watch pods": 1}
	if !maps.Equal(requests, want) {
		t.Errorf("%v, want %v", requests, want)
	}
}

func TestMoves(t *testing.T) {
	states := []RouteState{
		{Generation: 1, Weights: map[string]int32{"a": 100}},
		{Generation: 2, Weights: map[string]int32{"a": 100, "b": 0}},
		{Generation: 3, Weights: map[string]int32{"a": 50, "b": 50}},
		{Generation: 4, Weights: map[string]int32{"a": 50, "b": 50}},
		{Generation: 5, Weights: map[string]int32{"a": 100, "b": 0}},
	}
	moves := Moves(states)
	if len(moves) != 3 || moves[1].Generation != 3 || moves[2].Generation != 5 {
		t.Errorf("moves %v", moves)
	}
}

func TestNamesOfTheShop(t *testing.T) {
	env := &Environment{AppImage: "127.0.0.1:5000/app@sha256:" + strings.Repeat("0", 64)}
	release := env.NewRelease("a", "1.2.0", env.Component("api", 1), Replicas(3), Flags("--fail-after=7"),
		env.Test("smoke", v1alpha1.BeforeTraffic, 30, "smoke"))
	if problems := validation.IsDNS1035Label(release.Name); problems != nil {
		t.Errorf("release name %s: %v", release.Name, problems)
	}
	for _, c := range release.Spec.Components {
		args := strings.Join(c.Template.Spec.Containers[0].Args, " ")
		if c.Replicas != 3 || args != "serve --component="+c.Name+" --fail-after=7" {
			t.Errorf("component %s: %d replicas, args %s", c.Name, c.Replicas, args)
		}
	}
	if args := release.Spec.Tests[0].Template.Spec.Template.Spec.Containers[0].Args; strings.Join(args, " ") != "test smoke" {
		t.Errorf("test args %v", args)
	}
}
