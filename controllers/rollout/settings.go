package rollout

import (
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What holds where a track says nothing. The API has no defaults under spec: what
// was written is what is stored.
const (
	DefaultProgressDeadline = 600 * time.Second
	DefaultFailure          = 60 * time.Second
	DefaultBake             = 0 * time.Second
	DefaultDrain            = 30 * time.Second
	DefaultWarmReleases     = 1
	DefaultWarm             = 86400 * time.Second
	DefaultTestDeadline     = 600 * time.Second
	DefaultRecords          = 500
	// DefaultDeregistrationDelay is that of AWS.
	DefaultDeregistrationDelay = 300 * time.Second
)

// settle is how long endpoints are ready before weight rises onto them: routers
// learn of them on their own, and none tells that it has.
const settle = 2 * time.Second

// autoscalerMemory is how far back an autoscaler looks before it scales down. What it
// measured while a release had no traffic yet says nothing of the size that it needs.
const autoscalerMemory = 300 * time.Second

func (t *Track) rollout() v1alpha1.RolloutSpec {
	if t.Spec.Rollout == nil {
		return v1alpha1.RolloutSpec{}
	}
	return *t.Spec.Rollout
}

func (t *Track) routes() []v1alpha1.Route {
	if t.Spec.Traffic == nil {
		return nil
	}
	return t.Spec.Traffic.Routes
}

// override is the size that the track gives a component; 0 without one.
func (t *Track) override(component string) int32 {
	for _, c := range t.Spec.Capacity {
		if c.ComponentName == component {
			return c.Replicas
		}
	}
	return 0
}

func (t *Track) progressDeadline() time.Duration {
	return seconds(t.rollout().ProgressDeadlineSeconds, DefaultProgressDeadline)
}

func (t *Track) failure() time.Duration {
	return seconds(t.rollout().FailureSeconds, DefaultFailure)
}

func (t *Track) bake() time.Duration {
	return seconds(t.rollout().BakeSeconds, DefaultBake)
}

// drain lasts as long as the track says, and no less than a load balancer of its routes gives
// the requests of a target that goes.
func (t *Track) drain() time.Duration {
	if t.Spec.Traffic == nil {
		return DefaultDrain
	}
	drain := seconds(t.Spec.Traffic.DrainSeconds, DefaultDrain)
	for _, route := range t.Spec.Traffic.Routes {
		if listsFirst(route) {
			drain = max(drain, seconds(route.Ingress.DeregistrationDelaySeconds, DefaultDeregistrationDelay))
		}
	}
	return drain
}

func (t *Track) warmReleases() int {
	if t.Spec.Retention == nil || t.Spec.Retention.WarmReleases == nil {
		return DefaultWarmReleases
	}
	return int(*t.Spec.Retention.WarmReleases)
}

func (t *Track) warm() time.Duration {
	if t.Spec.Retention == nil {
		return DefaultWarm
	}
	return seconds(t.Spec.Retention.WarmSeconds, DefaultWarm)
}

// pruneQuiet is for how long nothing was recorded when records go: MaxThought, many
// times over.
const pruneQuiet = time.Hour

// MaxThought is the age of an observation by which nothing is written any more: whoever
// was asleep for so long reads again.
const MaxThought = 5 * time.Minute

// recordLimit is how many records of the log are kept.
func (t *Track) recordLimit() int64 {
	if t.Spec.Retention == nil || t.Spec.Retention.RecordLimit == nil {
		return DefaultRecords
	}
	return int64(*t.Spec.Retention.RecordLimit)
}

// keepAction is how long an action with its outcome is kept.
func (t *Track) keepAction() time.Duration {
	if t.Spec.Retention == nil {
		return 7 * 24 * time.Hour
	}
	return seconds(t.Spec.Retention.ActionSeconds, 7*24*time.Hour)
}

// historyLimit is how many idle release objects are kept; nil: all.
func (t *Track) historyLimit() *int32 {
	if t.Spec.Retention == nil {
		return nil
	}
	return t.Spec.Retention.HistoryLimit
}

func seconds(s *int32, otherwise time.Duration) time.Duration {
	if s == nil {
		return otherwise
	}
	return time.Duration(*s) * time.Second
}
