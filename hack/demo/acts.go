package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/hack/demo/seen"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

const (
	v1, v2, v3, v4 = "1.0.0", "1.1.0", "1.2.0", "1.3.0"
	// patience with pods on a busy machine.
	patience = 2 * time.Minute
	// settle is what a gateway may take from the report of a weight to all of its
	// workers having it; enough is how many requests a share is measured over.
	settle    = time.Second
	enough    = 2000
	tolerance = 2.0
	// maxRollback is how long a rollback to a warm release may take on the wire.
	maxRollback = 1500 * time.Millisecond
)

func (s *show) play(ctx context.Context) error {
	for _, act := range []func(context.Context) error{
		s.goLive, s.takeSteps, s.failTest, s.failStep, s.refuseEdits, s.rollBack,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) goLive(ctx context.Context) error {
	s.act("Act 1: %s, the first version, goes live", v1)
	if err := s.clearStage(ctx); err != nil {
		return err
	}
	if err := s.apply(ctx, "namespace.yaml", "config.yaml", "track.yaml", "v1.yaml"); err != nil {
		return err
	}
	probe, err := load.Start(ctx, s.loadOptions(5))
	if err != nil {
		return err
	}
	s.narrator.begin(ctx, probe)
	defer probe.Stop()
	if err := s.untilVerdict(ctx, v1, v1alpha1.EventPromoted); err != nil {
		return err
	}
	err = s.until(ctx, patience, v1+" answers", func(context.Context) (bool, error) {
		return probe.Results().Last(3).Share(v1) == 100, nil
	})
	if err != nil {
		return err
	}
	s.narrator.stop()
	if s.load, err = load.Start(ctx, s.loadOptions(requestRate)); err != nil {
		return err
	}
	s.narrator.begin(ctx, s.load)
	s.say("%s serves; from now on a client asks %d times a second, and counts", v1, requestRate)
	return nil
}

// loadOptions: every request goes through web to api, which must be of one release.
func (s *show) loadOptions(rate int) load.Options {
	return load.Options{URL: s.GatewayURL + "/?call=api", Host: hostname, Rate: rate}
}

func (s *show) takeSteps(ctx context.Context) error {
	s.act("Act 2: %s takes 20, then 50, then all of the traffic", v2)
	if err := s.apply(ctx, "v2.yaml"); err != nil {
		return err
	}
	for _, percent := range []int32{20, 50} {
		if err := s.measure(ctx, v2, percent, enough); err != nil {
			return err
		}
	}
	if err := s.untilVerdict(ctx, v2, v1alpha1.EventPromoted); err != nil {
		return err
	}
	return s.measure(ctx, v2, 100, enough)
}

func (s *show) failTest(ctx context.Context) error {
	s.act("Act 3: %s, whose test fails, gets no traffic", v3)
	start := time.Now()
	if err := s.apply(ctx, "v3.yaml"); err != nil {
		return err
	}
	if err := s.untilVerdict(ctx, v3, v1alpha1.EventFailed); err != nil {
		return err
	}
	verdict, _ := s.verdictOn(v3)
	s.expect(strings.Contains(verdict.Spec.Message, "the basket is empty"), "the verdict on %s says what its test said: %s", v3, verdict.Spec.Message)
	asked := s.load.Since(start)
	s.expect(asked.Share(v2) == 100, "%s served all of the %d requests meanwhile", v2, len(asked))
	return nil
}

func (s *show) failStep(ctx context.Context) error {
	s.act("Act 4: %s answers errors after a while; the test of the step finds out, and it is taken back", v4)
	if err := s.apply(ctx, "v4.yaml"); err != nil {
		return err
	}
	if err := s.measure(ctx, v4, 20, enough); err != nil {
		return err
	}
	if err := s.untilVerified(ctx, v4, 50); err != nil {
		return err
	}
	from := time.Now().Add(settle)
	if err := s.untilVerdict(ctx, v4, v1alpha1.EventFailed); err != nil {
		return err
	}
	verdict, _ := s.verdictOn(v4)
	to := verdict.Spec.Time.Time
	s.record(v4, 50, s.load.Results().Between(from, to))
	s.expect(strings.Contains(verdict.Spec.Message, "50 %"), "%s failed at 50 %%: %s", v4, verdict.Spec.Message)

	time.Sleep(3 * time.Second)
	back, all := s.load.Since(to).NewConnections().AllFrom(v2)
	s.expect(all && back.Sub(to) <= 2*maxRollback, "all new connections reached %s again %s after the verdict", v2, back.Sub(to).Round(time.Millisecond))
	return nil
}

func (s *show) refuseEdits(ctx context.Context) error {
	s.act("Act 5: somebody changes what runs")
	release := harness.ReleaseName(v2)
	deployment := release + "-web"
	key := types.NamespacedName{Namespace: namespace, Name: deployment}
	before := &appsv1.Deployment{}
	if err := s.Client.Get(ctx, key, before); err != nil {
		return fmt.Errorf("get Deployment %s: %w", deployment, err)
	}
	for _, attempt := range []struct {
		shown string
		env   []string
		args  []string
	}{
		{shown: "kubectl set image deployment/" + deployment + " app=registry.example.com/other:latest",
			args: []string{"set", "image", "deployment/" + deployment, "app=registry.example.com/other:latest"}},
		{shown: "kubectl edit deployment/" + deployment + "   # replicas: 2 -> 5",
			env: []string{"KUBE_EDITOR=sed -i 's/replicas: 2/replicas: 5/'"}, args: []string{"edit", "deployment/" + deployment}},
		{shown: "kubectl patch immutablerelease/" + release + ` --type merge -p '{"spec":{"version":"1.1.1"}}'`,
			args: []string{"patch", "immutablerelease/" + release, "--type", "merge", "-p", `{"spec":{"version":"1.1.1"}}`}},
	} {
		s.say("$ %s", attempt.shown)
		output, err := s.kubectl(ctx, attempt.env, attempt.args...)
		for line := range strings.Lines(output) {
			if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "#") && !strings.Contains(text, s.files) {
				s.say("    %s", text)
			}
		}
		s.expect(err != nil && strings.Contains(output, release), "refused, with the name of the release")
	}
	after := &appsv1.Deployment{}
	if err := s.Client.Get(ctx, key, after); err != nil {
		return fmt.Errorf("get Deployment %s: %w", deployment, err)
	}
	s.expect(after.Generation == before.Generation, "Deployment %s is what it was", deployment)
	return nil
}

func (s *show) rollBack(ctx context.Context) error {
	s.act("Act 6: somebody wants %s back", v1)
	pods, err := s.Pods(ctx, namespace, v1)
	if err != nil {
		return err
	}
	intent := time.Now()
	if err := s.apply(ctx, "rollback.yaml"); err != nil {
		return err
	}
	if err := s.untilVerdict(ctx, v2, v1alpha1.EventRolledBack); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	done, all := s.load.Since(intent).NewConnections().AllFrom(v1)
	s.rollback = done.Sub(intent)
	s.expect(all && s.rollback <= maxRollback, "%s had all new connections %s after the intent", v1, s.rollback.Round(time.Millisecond))
	same, err := s.Pods(ctx, namespace, v1)
	if err != nil {
		return err
	}
	s.expect(strings.Join(harness.PodIdentities(pods), ",") == strings.Join(harness.PodIdentities(same), ","),
		"the %d pods that served it before serve it again", len(pods))
	return nil
}

// measure waits until the routers carry a weight, then for requests, and records
// the share that was seen.
func (s *show) measure(ctx context.Context, version string, percent int32, requests int) error {
	if err := s.untilVerified(ctx, version, percent); err != nil {
		return err
	}
	from := time.Now().Add(settle)
	err := s.until(ctx, time.Minute, fmt.Sprintf("%d requests were answered", requests), func(context.Context) (bool, error) {
		return len(s.load.Since(from)) >= requests, nil
	})
	if err != nil {
		return err
	}
	s.record(version, percent, s.load.Since(from))
	return nil
}

// record notes the share of a version in requests. Fewer than a thousand tell too
// little to be held against it.
func (s *show) record(version string, percent int32, requests load.Results) {
	step := seen.Step{Version: version, Asked: float64(percent), Seen: requests.Share(version), Requests: len(requests)}
	s.steps = append(s.steps, step)
	off := step.Seen - step.Asked
	close := off >= -tolerance && off <= tolerance
	s.expect(close || len(requests) < enough/2, "%s was asked to serve %d %%, and served %.1f %% of %d requests", version, percent, step.Seen, len(requests))
}

func (s *show) untilVerified(ctx context.Context, version string, percent int32) error {
	return s.until(ctx, patience, fmt.Sprintf("the gateway reports %s at %d %%", version, percent), func(context.Context) (bool, error) {
		_, found := s.seen(func(r v1alpha1.ReleaseRecord) bool {
			return r.Spec.Event == v1alpha1.EventWeightVerified && harness.Weights(r)[harness.ReleaseName(version)] == percent
		})
		return found, nil
	})
}

func (s *show) verdictOn(version string) (v1alpha1.ReleaseRecord, bool) {
	return s.seen(func(r v1alpha1.ReleaseRecord) bool {
		return r.Spec.Release != nil && r.Spec.Release.Version == version && r.Spec.Event.IsVerdict()
	})
}

// untilVerdict waits for a verdict on a version, and fails on another one than want.
func (s *show) untilVerdict(ctx context.Context, version string, want v1alpha1.RecordEvent) error {
	var verdict v1alpha1.ReleaseRecord
	err := s.until(ctx, patience, fmt.Sprintf("%s has the verdict %s", version, want), func(context.Context) (bool, error) {
		found := false
		verdict, found = s.verdictOn(version)
		if want == v1alpha1.EventRolledBack {
			return found && verdict.Spec.Event == want, nil
		}
		return found, nil
	})
	if err != nil {
		return err
	}
	if verdict.Spec.Event != want {
		return fmt.Errorf("%s: verdict %s, not %s: %s", version, verdict.Spec.Event, want, verdict.Spec.Message)
	}
	return nil
}
