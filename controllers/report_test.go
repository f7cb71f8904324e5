package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
)

// A stage is measured from its own beginning, also where Ready is False from the
// first stage to the last.
func TestCountMeasuresEachStage(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	if err := metrics.Register(registry); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	f, note := findings{world: &world{}}, &notebook{}
	for _, at := range []struct {
		second int
		stage  string
	}{{0, "Settled"}, {100, "Preparing"}, {103, "Provisioning"}, {105, "Provisioning"}, {113, "Shifting"}} {
		f.Now = start.Add(time.Duration(at.second) * time.Second)
		track := &v1alpha1.ReleaseTrack{}
		track.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: at.stage}}
		count(f, note, track)
	}
	if got, want := stageSeconds(t, registry), "Preparing 1x3 Provisioning 1x10"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func stageSeconds(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		if family.GetName() != "strata_stage_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			all = append(all, fmt.Sprintf("%s %dx%v", m.GetLabel()[0].GetValue(), m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()))
		}
	}
	return strings.Join(all, " ")
}
