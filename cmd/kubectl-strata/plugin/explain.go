package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic/providers"
)

func explainCommand(s *session) *cobra.Command {
	command := s.trackArgument(&cobra.Command{
		Use:   "explain [TRACK]",
		Short: "Say why a track does not advance: every gate with its answer",
		Long: `Say why a track does not advance: every gate with its answer.

The answers are the planner's own, over what you may read now. What only the operator can
find out (configuration, policies, registries) is as it was reported last.`,
	})
	out := outputFlag(command, "table", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		track, err := s.track(c.Context(), args)
		if err != nil {
			return err
		}
		explained, err := s.explain(c.Context(), track)
		if err != nil {
			return err
		}
		if done, err := out.write(s.Streams.Out, explained); done || err != nil {
			return err
		}
		return s.tellExplained(explained)
	}
	return command
}

// explanation is why a track stands where it stands.
type explanation struct {
	Namespace string          `json:"namespace"`
	Track     string          `json:"track"`
	Stage     string          `json:"stage"`
	Candidate string          `json:"candidateReleaseName,omitempty"`
	Attempt   int32           `json:"attempt,omitempty"`
	Weight    int32           `json:"weightPercent,omitempty"`
	Next      int32           `json:"nextWeightPercent,omitempty"`
	NextTime  *metav1.Time    `json:"nextStepTime,omitempty"`
	Gates     []explainedGate `json:"gates,omitempty"`
	// Stalled is what time alone will not mend.
	Stalled *v1alpha1.BlockedBy `json:"stalled,omitempty"`
	// Due is the record that the operator is about to append.
	Due    string   `json:"due,omitempty"`
	Unseen []string `json:"unseen,omitempty"`
}

// Answers of gates.
const (
	gateHolds   = "Holds"
	gateBlocks  = "Blocks"
	gateUnknown = "Unknown"
)

type explainedGate struct {
	Name    string `json:"name"`
	Answer  string `json:"answer"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// look observes a track as the operator does.
func (s *session) look(ctx context.Context, key types.NamespacedName) (rollout.Observation, *scanner, error) {
	scan := newScanner(s.client, key.Namespace)
	routes, err := providers.Look(ctx, scan)
	if err != nil {
		return rollout.Observation{}, nil, err
	}
	o, err := controllers.Look(ctx, scan, routes, key, s.Now)
	return o, scan, wrap(err, "look at track %s", key)
}

func (s *session) explain(ctx context.Context, track *v1alpha1.ReleaseTrack) (*explanation, error) {
	o, scan, err := s.look(ctx, types.NamespacedName{Namespace: s.namespace, Name: track.Name})
	if err != nil {
		return nil, err
	}
	plan, answers := rollout.Compute(o), rollout.Ask(o)
	e := &explanation{
		Namespace: s.namespace, Track: track.Name, Stage: string(plan.Stage),
		Next: plan.NextWeightPercent, Stalled: plan.Stalled, Unseen: scan.unseen,
	}
	if plan.NextStepTime != nil {
		e.NextTime = &metav1.Time{Time: plan.NextStepTime.UTC().Truncate(time.Second)}
	}
	if plan.Append != nil {
		e.Due = fmt.Sprintf("%s: %s", plan.Append.Event, plan.Append.Message)
	}
	if o.Log.Broken != "" {
		e.Stalled = &v1alpha1.BlockedBy{Gate: "Log", Reason: "LogBroken", Message: o.Log.Broken}
	}
	if o.Log.Head != nil && o.Log.Head.State.Candidate != nil {
		c := o.Log.Head.State.Candidate
		e.Candidate, e.Attempt, e.Weight = c.Name, c.Attempt, answers.Weight()
	}
	for _, gate := range answers.Explain() {
		e.Gates = append(e.Gates, explainGate(gate, track, scan))
	}
	return e, nil
}

// explainGate does not say that a gate blocks where it is the asking user who may not
// read what it is about.
func explainGate(gate rollout.Gate, track *v1alpha1.ReleaseTrack, scan *scanner) explainedGate {
	e := explainedGate{Name: gate.Name, Answer: gateHolds}
	if !gate.Blocked {
		return e
	}
	e.Answer, e.Reason, e.Message = gateBlocks, gate.Reason, oneLine(gate.Message)
	unread := ""
	switch {
	case gate.Reason == "PoliciesUnread":
		unread = "the policies"
	case gate.Name == "RequiredTracksPromoted" && strings.Contains(strings.Join(scan.unseen, "\n"), "ReleaseRecord of"):
		unread = "the log of a required track"
	}
	switch told := track.Status.BlockedBy; {
	case unread == "":
	case told != nil && told.Gate == gate.Name:
		e.Reason, e.Message = told.Reason, oneLine(told.Message)
	default:
		e.Answer, e.Reason, e.Message = gateUnknown, "", "you may not read "+unread+", and the operator does not report that it waits for it"
	}
	return e
}

func (s *session) tellExplained(e *explanation) error {
	out := s.Streams.Out
	fmt.Fprintf(out, "%s/%s  %s\n", e.Namespace, e.Track, e.Stage)
	if e.Candidate == "" {
		fmt.Fprintln(out, "no attempt is open: no gate is asked")
	} else {
		next := ""
		if e.Next > 0 {
			next = fmt.Sprintf(", next %d %%", e.Next)
		}
		if e.NextTime != nil && e.NextTime.After(s.Now()) {
			next += ", not before " + stamp(e.NextTime.Time)
		}
		fmt.Fprintf(out, "%s, attempt %d, at %d %%%s\n", e.Candidate, e.Attempt, e.Weight, next)
	}
	if e.Stalled != nil {
		fmt.Fprintf(out, "stalled: %s: %s\n", e.Stalled.Reason, oneLine(e.Stalled.Message))
	}
	if e.Due != "" {
		fmt.Fprintf(out, "about to be recorded: %s\n", oneLine(e.Due))
	}
	for _, unseen := range e.Unseen {
		fmt.Fprintf(out, "not seen, as you may not list it: %s\n", unseen)
	}
	if len(e.Gates) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	var rows [][]string
	for _, gate := range e.Gates {
		rows = append(rows, []string{gate.Name, gate.Answer, gate.Reason, gate.Message})
	}
	return table(out, []string{"GATE", "ANSWER", "REASON", "MESSAGE"}, rows)
}
