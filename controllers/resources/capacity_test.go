package resources

import (
	"bytes"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

// scaled is the shop with an autoscaler by default metrics and a budget for web, and
// metrics of its author for api.
func scaled(t *testing.T) *v1alpha1.ImmutableRelease {
	t.Helper()
	rel := shop(t)
	rel.Spec.Components[0].Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 2, MaxReplicas: 9}
	rel.Spec.Components[0].Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
	rel.Spec.Components[1].Autoscaling = &v1alpha1.ComponentAutoscaling{
		MinReplicas: 1, MaxReplicas: 4,
		Metrics: []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: "queue-length"},
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType},
			},
		}},
		Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: ptr.To[int32](60)},
		},
	}
	rel.Spec.Components[1].Disruption = &v1alpha1.ComponentDisruption{MinAvailable: ptr.To(intstr.FromString("50%"))}
	return rel
}

func TestAutoscalersAndBudgets(t *testing.T) {
	seal, err := Render(scaled(t), Digests{Content: "sha256:cc", Release: "sha256:dd"}, shopSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, component := range []string{"web", "api"} {
		autoscaler, err := seal.Autoscaler(component, 3, 12, 7)
		if err != nil {
			t.Fatal(err)
		}
		budget, err := seal.Disruption(component)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range []any{autoscaler, budget} {
			data, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString("---\n")
			out.Write(data)
		}
	}
	golden(t, "capacity.golden.yaml", out.Bytes())
}

// TestWithoutAutoscaler: a seal of before, and a component that asks for none, have none.
func TestWithoutAutoscaler(t *testing.T) {
	seal := shopSeal(t)
	if autoscaler, err := seal.Autoscaler("web", 1, 2, 3); autoscaler != nil || err != nil {
		t.Errorf("an autoscaler that nobody asked for: %v, %v", autoscaler, err)
	}
	if budget, err := seal.Disruption("web"); budget != nil || err != nil {
		t.Errorf("a budget that nobody asked for: %v, %v", budget, err)
	}
	if _, err := seal.Autoscaler("nobody", 1, 2, 3); err == nil {
		t.Error("an autoscaler of a component that is not in the seal")
	}
}

// TestBoundsAreNotContent: an autoscaler whose bounds were raised is as sealed.
func TestBoundsAreNotContent(t *testing.T) {
	seal, err := Render(scaled(t), Digests{}, shopSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := seal.Autoscaler("web", 2, 9, 1)
	live, _ := seal.Autoscaler("web", 6, 12, 5)
	if difference := Difference(sealed, live, AsSealed); difference != "" {
		t.Error(difference)
	}
	live.Spec.Metrics[0].Resource.Target.AverageUtilization = ptr.To[int32](10)
	if Difference(sealed, live, AsSealed) == "" {
		t.Error("another metric is no difference")
	}
}
