package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// tryApply asks the API server, storing nothing.
func (s *session) tryApply(ctx context.Context, object *unstructured.Unstructured, p *planned) error {
	if object.GetNamespace() == "" {
		object.SetNamespace(s.namespace)
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(object.GroupVersionKind())
	err := s.client.Get(ctx, client.ObjectKeyFromObject(object), there)
	switch {
	case apierrors.IsNotFound(err):
		p.Outcome = outcomeCreated
		err = s.client.Create(ctx, object.DeepCopy(), client.DryRunAll, client.FieldOwner("kubectl-strata"))
	case err != nil:
		return fmt.Errorf("read %s: %w", p.Object, err)
	default:
		if err := compare(there, object, p); err != nil || p.Outcome == outcomeUnchanged {
			return err
		}
		wanted := object.DeepCopy()
		wanted.SetResourceVersion(there.GetResourceVersion())
		err = s.client.Update(ctx, wanted, client.DryRunAll, client.FieldOwner("kubectl-strata"))
	}
	switch {
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err):
		p.Outcome, p.Refusal = outcomeRefused, plain(err.Error())
	case err != nil:
		return fmt.Errorf("try %s: %w", p.Object, err)
	}
	return nil
}

// tryRelease asks for a release; one of a template is the operator's to create, and was
// judged with its track.
func (s *session) tryRelease(ctx context.Context, release both[v1alpha1.ImmutableRelease], p *planned) error {
	object := release.document.object
	if !release.inTemplate {
		return s.tryApply(ctx, object, p)
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(object.GroupVersionKind())
	err := s.client.Get(ctx, client.ObjectKey{Namespace: orNone(object.GetNamespace(), s.namespace), Name: object.GetName()}, there)
	switch {
	case apierrors.IsNotFound(err):
		p.Outcome = outcomeCreated
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", p.Object, err)
	}
	return compare(there, object, p)
}

func compare(there, object *unstructured.Unstructured, p *planned) error {
	var texts [2][]byte
	for i, o := range []*unstructured.Unstructured{there, object} {
		var err error
		if texts[i], err = json.Marshal(o.Object); err != nil {
			return fmt.Errorf("encode %s: %w", p.Object, err)
		}
	}
	changes, err := validation.SpecChanges(texts[0], texts[1])
	if err != nil {
		return err
	}
	p.Outcome = outcomeUnchanged
	for _, c := range changes {
		p.Outcome = outcomeChanged
		p.Changes = append(p.Changes, change{Field: c.Path, Old: c.Old, New: c.New})
	}
	return nil
}

// missing says of the configuration whether it is there to be frozen.
func (s *session) missing(ctx context.Context, namespace string, p *planned) error {
	for i, read := range p.Reads {
		kind, name, _ := strings.Cut(read, " ")
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
		switch err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); {
		case apierrors.IsNotFound(err):
			p.Reads[i] += ", which is missing: the release waits for it"
		case apierrors.IsForbidden(err):
			p.Reads[i] += ", which you may not read"
		case err != nil:
			return fmt.Errorf("look for %s: %w", read, err)
		}
	}
	return nil
}

// plannedUID is that of a release which is not there.
const plannedUID = "planned"

// foreseen bounds the records that are told of: what follows depends on the world.
const foreseen = 8

// foresee asks the planner which records would follow at once if the release were there.
// It answers with the track of the cluster where the files have none.
func (s *session) foresee(ctx context.Context, of both[v1alpha1.ImmutableRelease], track **v1alpha1.ReleaseTrack, p *planned) error {
	if p.Outcome == outcomeRefused {
		return nil
	}
	release := of.object
	key := client.ObjectKey{Namespace: orNone(release.Namespace, s.namespace), Name: release.Spec.TrackName}
	o, _, err := s.look(ctx, key)
	if err != nil {
		return err
	}
	if *track == nil {
		stored := &v1alpha1.ReleaseTrack{}
		switch err := s.client.Get(ctx, key, stored); {
		case err == nil:
			*track = stored
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("read track %s: %w", key, err)
		default:
			p.Next = []string{fmt.Sprintf("nothing: namespace %s has no track %s", key.Namespace, key.Name)}
			return nil
		}
	}
	var list v1alpha1.ReleaseRecordList
	if err := s.client.List(ctx, &list, client.InNamespace(key.Namespace), client.MatchingFields{"spec.trackName": key.Name}); err != nil {
		return fmt.Errorf("list the records of track %s: %w", key, err)
	}
	if o.Track == nil {
		o.Track = &rollout.Track{}
	}
	o.Track.Spec = (*track).Spec
	p.first = o.Log.Head == nil || o.Log.Head.State.Stable == nil
	p.foresee(o, of, list.Items, s.Now)
	return nil
}

// foresee plays what the planner decides until the release is the candidate. That of a
// template is there once a record says so.
func (p *planned) foresee(o rollout.Observation, of both[v1alpha1.ImmutableRelease], records []v1alpha1.ReleaseRecord, now func() time.Time) {
	release, opened := of.object, false
	planned := rollout.Release{Name: release.Name, UID: plannedUID, CreationTime: o.Now, Spec: &release.Spec}
	template := &rollout.Template{ReleaseName: release.Name, Version: release.Spec.Version, ContentDigest: p.ContentDigest}
	switch {
	case p.Outcome == outcomeCreated && of.inTemplate:
		o.Track.Template = template
	case p.Outcome == outcomeCreated:
		o.Releases = append(o.Releases, planned)
	}
	for range foreseen {
		e := rollout.Compute(o).Append
		if e == nil || opened {
			break
		}
		opened = e.Event == v1alpha1.EventAttemptOpened && e.Release != nil && e.Release.UID == plannedUID
		about := ""
		if e.Release != nil {
			about = " " + e.Release.Name
		}
		p.Next = append(p.Next, fmt.Sprintf("%s%s: %s", e.Event, about, oneLine(orNone(e.Message, e.Reason))))
		records = append(records, *ledger.Record(o.Namespace, ledger.Chain(o.TrackName, o.Log.Head, *e, now())))
		o.Log = ledger.Read(records)
		if e.Event == v1alpha1.EventPublished && of.inTemplate {
			o.Releases, template.Of = append(o.Releases, planned), release.Name
		}
	}
	reason, message := rollout.Ask(o).Template()
	switch {
	case p.Outcome != outcomeCreated || opened:
	case of.inTemplate && reason != rollout.ReasonPublished:
		p.Next = append(p.Next, "it would not be created: "+message)
	default:
		p.Next = append(p.Next, "it would not be tried now: "+notTried(o, release.Name))
	}
}

// notTried says why a release that is new is not the candidate.
func notTried(o rollout.Observation, name string) string {
	state := v1alpha1.TrackState{}
	if o.Log.Head != nil {
		state = o.Log.Head.State
	}
	pin := o.Track.Spec.ReleaseName
	switch {
	case o.Log.Broken != "":
		return o.Log.Broken
	case pin != "" && pin != name:
		return "the track is pinned to " + pin
	case state.Candidate != nil:
		return state.Candidate.Name + " is under way, and finishes first"
	}
	return "kubectl strata explain tells where the track stands"
}
