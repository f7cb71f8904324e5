package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// intent is a command that asks for an action.
type intent struct {
	action  v1alpha1.ActionType
	use     string
	short   string
	example string
	// weight says what the flag --weight means; "": there is none.
	weight string
	// release is the name of the flag that names the target, and what it means.
	release, releaseUsage string
	// target is the action that is asked for where flags say nothing else.
	target func(*standing, *v1alpha1.ReleaseActionSpec) error
}

func approveCommand(s *session) *cobra.Command {
	return s.actCommand(intent{
		action: v1alpha1.ActionApprove, use: "approve [TRACK]",
		short:   "Let the release under way enter a step that asks for an approval",
		example: `  kubectl strata approve shop --reason "orders look right, CHG-4711"`,
		weight:  "the step to be entered, in percent; default: the next that lacks an approval",
		target: func(now *standing, spec *v1alpha1.ReleaseActionSpec) error {
			if err := now.openAttempt(spec); err != nil {
				return err
			}
			lacking := now.answers.LacksApproval()
			if lacking == 0 {
				return no("nothing to approve: no step ahead of %s lacks an approval", spec.ReleaseName)
			}
			spec.WeightPercent = &lacking
			return nil
		},
	})
}

func skipHoldCommand(s *session) *cobra.Command {
	return s.actCommand(intent{
		action: v1alpha1.ActionSkipHold, use: "skip-hold [TRACK]",
		short:   "End the hold of the present step; gates, tests, approvals and the bake stay",
		example: `  kubectl strata skip-hold shop --reason "hotfix, seen on the dashboard"`,
		weight:  "the step whose hold is meant, in percent; default: the present one",
		target: func(now *standing, spec *v1alpha1.ReleaseActionSpec) error {
			if err := now.openAttempt(spec); err != nil {
				return err
			}
			weight := now.answers.Weight()
			if weight == 0 {
				return no("nothing to skip: %s has no weight yet, and so no hold", spec.ReleaseName)
			}
			spec.WeightPercent = &weight
			return nil
		},
	})
}

func abortCommand(s *session) *cobra.Command {
	return s.actCommand(intent{
		action: v1alpha1.ActionAbort, use: "abort [TRACK]",
		short:   "End the attempt that is open: all weight goes back at once",
		example: `  kubectl strata abort shop --reason "checkout is slow"`,
		target:  (*standing).openAttempt,
	})
}

func retryCommand(s *session) *cobra.Command {
	return s.actCommand(intent{
		action: v1alpha1.ActionRetry, use: "retry [TRACK]",
		short:   "Try a release again that failed, was aborted or rolled back",
		example: `  kubectl strata retry shop --reason "the database is back"`,
		release: "release", releaseUsage: "the release to try; default: the pinned one, else the newest",
		target: func(now *standing, spec *v1alpha1.ReleaseActionSpec) error {
			if spec.ReleaseName = now.track.Spec.ReleaseName; spec.ReleaseName != "" {
				return nil
			}
			if len(now.releases) == 0 {
				return no("nothing to retry: track %s has no release", now.track.Name)
			}
			spec.ReleaseName = now.releases[0].Name
			return nil
		},
	})
}

func rollbackCommand(s *session) *cobra.Command {
	return s.actCommand(intent{
		action: v1alpha1.ActionRollback, use: "rollback [TRACK]",
		short: "Move the traffic back to a release that was promoted before",
		example: `  kubectl strata rollback shop --reason "errors in checkout"
  kubectl strata rollback shop --to shop-1-4-0 --reason "errors in checkout"`,
		release: "to", releaseUsage: "the release to go back to; default: with an attempt open the stable one, else the one before it",
		target: func(now *standing, spec *v1alpha1.ReleaseActionSpec) (err error) {
			spec.ReleaseName, err = now.before()
			return err
		},
	})
}

// actCommand creates a ReleaseAction in the user's name and waits for what comes of it.
func (s *session) actCommand(i intent) *cobra.Command {
	var reason, release string
	var attempt, weight int32
	var timeout time.Duration
	command := s.trackArgument(&cobra.Command{Use: i.use, Short: i.short, Example: i.example})
	flags := command.Flags()
	flags.StringVar(&reason, "reason", "", "why, for whoever reads the log (required)")
	flags.DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait for the outcome; 0: not at all")
	if i.weight != "" {
		flags.Int32Var(&weight, "weight", 0, i.weight)
	}
	if i.release != "" {
		flags.StringVar(&release, i.release, "", i.releaseUsage)
	} else {
		flags.Int32Var(&attempt, "attempt", 0, "refuse unless this attempt is the open one; default: whichever is")
	}
	out := outputFlag(command, "text", "json", "yaml", "name")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return errors.New("--reason is required: it is what the log tells of this later")
		}
		now, err := s.standing(c.Context(), args)
		if err != nil {
			return err
		}
		spec := v1alpha1.ReleaseActionSpec{TrackName: now.track.Name, Action: i.action, Reason: reason}
		if spec.ReleaseName = release; release == "" {
			if err := i.target(now, &spec); err != nil {
				return err
			}
		}
		if attempt != 0 {
			spec.Attempt = &attempt
		}
		if weight != 0 {
			spec.WeightPercent = &weight
		}
		return s.ask(c.Context(), spec, timeout, out)
	}
	return command
}

// standing is what the log says of a track now. It needs no right to read pods.
type standing struct {
	track    *v1alpha1.ReleaseTrack
	releases []v1alpha1.ImmutableRelease
	log      rollout.Log
	answers  rollout.Answers
}

func (s *session) standing(ctx context.Context, args []string) (*standing, error) {
	track, err := s.track(ctx, args)
	if err != nil {
		return nil, err
	}
	now := &standing{track: track}
	if now.releases, err = s.releases(ctx, track.Name); err != nil {
		return nil, err
	}
	records, err := s.records(ctx, track.Name)
	if err != nil {
		return nil, err
	}
	now.log = ledger.Read(records)
	o := rollout.Observation{
		Now: s.Now(), Namespace: s.namespace, TrackName: track.Name, Log: now.log,
		Track: &rollout.Track{UID: track.UID, Generation: track.Generation, Spec: track.Spec},
	}
	for i := range now.releases {
		r := &now.releases[i]
		o.Releases = append(o.Releases, rollout.Release{Name: r.Name, UID: r.UID, CreationTime: r.CreationTimestamp.Time, Spec: &r.Spec})
	}
	now.answers = rollout.Ask(o)
	return now, nil
}

func (n *standing) state() v1alpha1.TrackState {
	if n.log.Head == nil {
		return v1alpha1.TrackState{}
	}
	return n.log.Head.State
}

// openAttempt fills in which attempt is open.
func (n *standing) openAttempt(spec *v1alpha1.ReleaseActionSpec) error {
	c := n.state().Candidate
	if c == nil {
		return no("track %s has no attempt open: nothing is under way", n.track.Name)
	}
	spec.ReleaseName, spec.Attempt = c.Name, ptr.To(c.Attempt)
	return nil
}

// before is what a rollback goes back to: with an attempt open the stable release, else
// the one that was stable last before it, is there, and was not taken back.
func (n *standing) before() (string, error) {
	state := n.state()
	if state.Candidate != nil && state.Stable != nil {
		return state.Stable.Name, nil
	}
	name, sequence := "", int64(0)
	for i := range n.releases {
		r := &n.releases[i]
		promotion, ok := n.log.Promotions[r.Spec.Version]
		taken := n.log.Verdicts[r.Spec.Version].Event.IsNegative()
		isStable := state.Stable != nil && state.Stable.UID == r.UID
		if ok && promotion.UID == r.UID && !taken && !isStable && promotion.Sequence > sequence {
			name, sequence = r.Name, promotion.Sequence
		}
	}
	if name == "" {
		return "", no("track %s has no release to go back to: none but the stable one was promoted and is there still", n.track.Name)
	}
	return name, nil
}

// ask creates the action, and waits for its outcome.
func (s *session) ask(ctx context.Context, spec v1alpha1.ReleaseActionSpec, timeout time.Duration, out *output) error {
	review := &authenticationv1.SelfSubjectReview{}
	if err := s.client.Create(ctx, review); err != nil {
		return fmt.Errorf("ask the cluster who you are: %w", err)
	}
	spec.Requester = review.Status.UserInfo.Username
	action := &v1alpha1.ReleaseAction{Spec: spec}
	action.Namespace = s.namespace
	action.GenerateName = strings.ToLower(string(spec.Action)) + "-" + spec.ReleaseName + "-"
	if err := s.client.Create(ctx, action); err != nil {
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			return no("%s was not let in: %v", spec.Action, err)
		}
		return fmt.Errorf("create the ReleaseAction: %w", err)
	}
	if timeout > 0 {
		if err := s.awaitOutcome(ctx, action, timeout); err != nil {
			return err
		}
	}
	return s.tellOutcome(action, out)
}

func (s *session) awaitOutcome(ctx context.Context, action *v1alpha1.ReleaseAction, timeout time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	key := client.ObjectKeyFromObject(action)
	this := watched{&v1alpha1.ReleaseActionList{}, []client.ListOption{client.InNamespace(s.namespace), client.MatchingFields{"metadata.name": action.Name}}}
	err := s.until(waiting, []watched{this}, nil, func() (bool, error) {
		err := s.client.Get(waiting, key, action)
		if apierrors.IsNotFound(err) {
			return false, no("ReleaseAction %s was deleted before it was answered", action.Name)
		}
		return action.Status.Outcome != "", wrap(err, "read ReleaseAction %s", action.Name)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &answer{code: codeTimeout, text: fmt.Sprintf(
			"%s was not answered within %s and stands: kubectl get releaseaction %s -n %s tells when it is; is the operator running?", action.Name, timeout, action.Name, s.namespace)}
	}
	return err
}

func (s *session) tellOutcome(action *v1alpha1.ReleaseAction, out *output) error {
	list, err := named([]v1alpha1.ReleaseAction{*action})
	if err != nil {
		return err
	}
	switch done, err := out.write(s.Streams.Out, list["items"].([]any)[0]); {
	case err != nil:
		return err
	case done:
	case out.format == "name":
		fmt.Fprintln(s.Streams.Out, action.Name)
	case action.Status.Outcome == "":
		fmt.Fprintf(s.Streams.Out, "%s asked for: ReleaseAction %s\n", describe(&action.Spec), action.Name)
	case action.Status.Outcome == v1alpha1.ActionDone:
		fmt.Fprintf(s.Streams.Out, "%s done, record %d: %s\n", describe(&action.Spec), action.Status.RecordSequence, plain(action.Status.Message))
	}
	if action.Status.Outcome == v1alpha1.ActionRefused {
		return no("%s refused: %s", describe(&action.Spec), plain(strings.TrimPrefix(action.Status.Message, string(v1alpha1.EventRefused)+": ")))
	}
	return nil
}

// describe is an action in words: Approve of shop-1-4-2 at 50 %.
func describe(spec *v1alpha1.ReleaseActionSpec) string {
	text := fmt.Sprintf("%s of %s", spec.Action, spec.ReleaseName)
	if spec.Action == v1alpha1.ActionRollback {
		text = "Rollback to " + spec.ReleaseName
	}
	if spec.WeightPercent != nil {
		text += fmt.Sprintf(" at %d %%", *spec.WeightPercent)
	}
	return text
}
