package world

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// sync brings one kind of a cache up to date.
func (o *Objects) sync(from *Objects, kind Kind) {
	switch kind {
	case Records:
		o.Records = slices.Clip(from.Records)
	case Releases:
		o.Releases, o.Seals = maps.Clone(from.Releases), maps.Clone(from.Seals)
	case Children:
		o.Deployments, o.Services, o.Jobs = maps.Clone(from.Deployments), maps.Clone(from.Services), maps.Clone(from.Jobs)
		o.Autoscalers, o.Disruptions = maps.Clone(from.Autoscalers), maps.Clone(from.Disruptions)
	case Routes:
		o.Routes = maps.Clone(from.Routes)
	case Actions:
		o.Actions = slices.Clip(from.Actions)
	case Access:
		o.Opened, o.Entered = from.Opened, maps.Clone(from.Entered)
	}
}

// copyOf is all objects as they are now.
func copyOf(from *Objects) Objects {
	var o Objects
	for kind := range kinds {
		o.sync(from, kind)
	}
	return o
}

// Observe makes the observation of the world as it is now.
func (w *World) Observe() rollout.Observation {
	objects := copyOf(&w.Objects)
	return w.observe(&objects)
}

// observe makes the observation of objects as a cache holds them. Facts that no
// cache holds (routers' reports, Services of others) are of this moment.
func (w *World) observe(c *Objects) rollout.Observation {
	track := w.Track
	track.Spec = *w.Track.Spec.DeepCopy()
	o := rollout.Observation{
		Now: w.Now, Namespace: Namespace, TrackName: TrackName, Actor: Actor,
		Track: &track,
		Log:   w.logOf(c.Records),
	}
	track.Template = w.observeTemplate(c)
	if w.TrackGone {
		o.Track = nil
	}
	var state v1alpha1.TrackState
	if o.Log.Head != nil {
		state = o.Log.Head.State
	}
	for _, name := range slices.Sorted(maps.Keys(c.Releases)) {
		o.Releases = append(o.Releases, w.observeRelease(c, c.Releases[name], state, o.Log))
	}
	o.Routes = w.observeRoutes(c)
	o.Required = w.observeRequired(o, state)
	if w.Turn != nil {
		o.Turn = w.Turn(w.Now)
	}
	for _, a := range c.Actions {
		_, done := o.Log.Actions[a.Name]
		if !done {
			o.Actions = append(o.Actions, a)
		}
		// Stories end before the time is over for which actions are kept where nothing is said.
		if limits := track.Spec.Retention; (done || !a.CreationTimestamp.After(o.Log.ActionsSince)) && limits != nil && limits.ActionSeconds != nil {
			o.Answered = append(o.Answered, rollout.AnsweredAction{Name: a.Name, CreationTime: a.CreationTimestamp.Time})
		}
	}
	observeAccess(c, &o, state)
	return o
}

func (w *World) observeRelease(c *Objects, r *Release, state v1alpha1.TrackState, log rollout.Log) rollout.Release {
	script := w.script(r.Name)
	o := rollout.Release{Name: r.Name, UID: r.UID, CreationTime: r.Created, Held: r.Held, Owner: r.Owner, RequestedBy: script.RequestedBy, Spec: r.Spec}
	live := slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.Name == r.Name && l.UID == r.UID })
	o.Sealed, o.Ownerless = observeSeal(c.Seals[r.Name], r, log, live)
	if live && o.Sealed != nil {
		o.Snapshots = c.Seals[r.Name].Broken
	}
	candidate := state.Candidate
	if candidate != nil && candidate.UID == r.UID && o.Sealed == nil {
		o.Obstacle = script.Obstacle
		if had, ok := log.ContentDigests[r.Spec.Version]; ok && had != contentDigest(r, script) {
			o.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: "VersionReused", Message: "version " + r.Spec.Version + " had another content"}
		}
	}
	some := live
	var components []rollout.Component
	for _, spec := range r.Spec.Components {
		component := observeComponent(c, r, spec.Name)
		if component.Ownerless && o.Sealed == nil {
			component = rollout.Component{Name: spec.Name, Service: rollout.Foreign, Deployment: rollout.Foreign}
		}
		if component.Deployment == rollout.Ours && component.ReadyReplicas < component.Replicas {
			component.Trouble = script.Trouble
		}
		component.ForeignSelectors = script.ForeignSelectors
		some = some || component.Service == rollout.Ours || component.Deployment == rollout.Ours ||
			component.Autoscaler == rollout.Ours || component.Disruption == rollout.Ours
		components = append(components, component)
	}
	if some {
		o.Components = components
	}
	o.Jobs = observeJobs(c, r)
	return o
}

// observeSeal tells of the seal of a release that is live, or that came back.
func observeSeal(s *Seal, r *Release, log rollout.Log, live bool) (sealed *rollout.Sealed, ownerless bool) {
	if s == nil {
		return nil, false
	}
	ownerless = cameBack(r, s, log, live)
	if ownerless || (live || log.Head == nil) && s.Owner == r.UID {
		copied := s.Sealed
		return &copied, ownerless
	}
	return nil, false
}

func observeJobs(c *Objects, r *Release) []rollout.Job {
	var jobs []rollout.Job
	for _, name := range slices.Sorted(maps.Keys(c.Jobs)) {
		if j := c.Jobs[name]; j.Release == r.Name {
			jobs = append(jobs, rollout.Job{
				Name: j.Name, UID: j.UID, Test: j.Test, Attempt: j.Attempt, WeightPercent: j.WeightPercent,
				Presence: presence(j.Owner, r.UID), CreationTime: j.Created,
				Succeeded: j.Succeeded, Failed: j.Failed, Finished: j.Finished, Message: j.Message,
			})
		}
	}
	return jobs
}

func observeComponent(c *Objects, r *Release, component string) rollout.Component {
	name := resources.ChildName(r.Name, component)
	o := rollout.Component{Name: component}
	if s := c.Services[name]; s != nil {
		o.Service, o.ServiceSequence = presence(s.Owner, r.UID), s.Sequence
	}
	if a := c.Autoscalers[name]; a != nil {
		o.Autoscaler, o.AutoscalerSequence = presence(a.Owner, r.UID), a.Sequence
		o.MinReplicas, o.MaxReplicas = a.Min, a.Max
	}
	if d := c.Disruptions[name]; d != nil {
		o.Disruption = presence(d.Owner, r.UID)
	}
	o.Ownerless = slices.Contains(c.ownersOf(name), nobody)
	d := c.Deployments[name]
	if d == nil {
		return o
	}
	o.Deployment = presence(d.Owner, r.UID)
	o.Sequence, o.Replicas = d.Sequence, d.Replicas
	o.ReadyReplicas, o.AvailableReplicas = d.Ready, d.Ready
	o.Drifts = observeDrifts(d, r)
	if d.Ungated && d.Replicas > 0 {
		o.Ungated = name + "-1"
	}
	o.Available, o.AvailableChange, o.ShortSince = d.Available, d.Change, d.ShortSince
	if o.Service == rollout.Ours {
		o.ReadyEndpoints = d.Ready
	}
	return o
}

func presence(owner, release types.UID) rollout.Presence {
	if owner == release || owner == nobody {
		return rollout.Ours
	}
	return rollout.Foreign
}

func (w *World) observeRoutes(c *Objects) []rollout.Route {
	var routes []rollout.Route
	named := map[string]bool{}
	specs := w.specRoutes()
	if w.TrackGone {
		specs = nil
	}
	for _, spec := range specs {
		name := routeObjectName(spec)
		named[name] = true
		o := w.observeRoute(c.Routes[name], spec)
		o.Name, o.Type, o.AllOrNothing = spec.Name, spec.Type, spec.Type == v1alpha1.RouteService
		if w.NoSessions && spec.GatewayAPI != nil && spec.GatewayAPI.StickyCookieName != "" {
			o.Unkept, o.Unwatched = "nothing binds the clients of route "+spec.Name, true
		}
		routes = append(routes, o)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		if r := c.Routes[name]; !named[name] && !r.Foreign && r.Spec.Name != "" {
			o := w.observeRoute(r, r.Spec)
			o.Name, o.Type, o.Orphaned = r.Spec.Name, r.Spec.Type, true
			routes = append(routes, o)
		}
	}
	return routes
}

func (w *World) observeRoute(r *RouteObject, spec v1alpha1.Route) rollout.Route {
	switch {
	case r == nil && spec.GatewayAPI != nil && spec.GatewayAPI.AttachTo != nil:
		return rollout.Route{Reason: "AttachedRouteMissing", Message: "the user's route for " + spec.Name + " does not exist", Unwatched: true}
	case r != nil && r.Users && r.Spec.Name == "":
		return rollout.Route{Reason: "RouteMissing", Message: "the user's route for " + spec.Name + " does not lead to releases yet"}
	case r == nil:
		return rollout.Route{Reason: "RouteMissing", Message: "the object of route " + spec.Name + " does not exist yet"}
	case r.Foreign:
		return rollout.Route{Presence: rollout.Foreign, Reason: "RouteNameTaken", Message: "the name of route " + spec.Name + " is taken by somebody else's object"}
	}
	o := rollout.Route{
		Presence: rollout.Ours, Sequence: r.Sequence, Weights: slices.Clone(r.Weights),
		Current:  equality.Semantic.DeepEqual(r.Spec, spec) && (r.Users || r.Owned == w.ownsRoutes()),
		Verified: !w.RouterDown && r.CarriedGeneration == r.Generation,
	}
	if r.Users {
		o.Attached = "HTTPRoute " + r.Name
	}
	if backend := w.unresolved(r); backend != "" {
		o.Verified, o.Reason, o.Message = false, "RouteNotResolved", "the router cannot find Service "+backend
	} else if !o.Verified {
		o.Reason, o.Message = "RouteNotReported", "the router has not reported on route "+spec.Name
	}
	if spec.Probe != nil && o.Verified {
		o.Probe = w.probe(r, spec.Probe)
	}
	return o
}

// probe asks a router that has confirmed its weights who answers.
func (w *World) probe(r *RouteObject, probe *v1alpha1.RouteProbe) *rollout.Probe {
	shown := &rollout.Probe{Sequence: r.Sequence, Requests: rollout.ProbeRequests(probe), Answers: map[string]int32{}}
	for _, s := range r.Carried {
		shown.Answers[s.ReleaseName] += s.WeightPercent * shown.Requests / 100
	}
	if w.Probed != nil {
		w.Probed(shown)
	}
	return shown
}

// observeRequired asks other tracks about a sealed candidate without weight.
func (w *World) observeRequired(o rollout.Observation, state v1alpha1.TrackState) []rollout.RequiredTrack {
	if state.Candidate == nil || weightOf(state, state.Candidate.Name) > 0 {
		return nil
	}
	var told []rollout.RequiredTrack
	for _, r := range o.Releases {
		if r.UID != state.Candidate.UID || r.Sealed == nil {
			continue
		}
		for _, required := range o.Track.Spec.Requires {
			if required.PublicKey != "" {
				told = append(told, proven(required, r.Spec.Promotions))
				continue
			}
			standing := w.Elsewhere[required][r.Spec.Version]
			told = append(told, rollout.RequiredTrack{
				RequiredTrack: required, ContentDigest: standing.Content, PromotedTime: standing.Promoted, Verdict: standing.Verdict,
			})
		}
	}
	return told
}

// proven is what promotions tell that were signed elsewhere. What is signed with a key
// bears its name.
func proven(required v1alpha1.RequiredTrack, promotions []v1alpha1.SignedPromotion) rollout.RequiredTrack {
	told := rollout.RequiredTrack{RequiredTrack: required, Unproven: "spec.promotions of the release has none of it"}
	for _, p := range promotions {
		if p.Namespace == required.Namespace && p.TrackName == required.TrackName && p.Signature == required.PublicKey {
			return rollout.RequiredTrack{
				RequiredTrack: required, ContentDigest: p.ContentDigest, PromotedTime: p.Time.Time, Verdict: v1alpha1.EventPromoted,
				Sequence: p.Sequence, Digest: p.Digest, KeyDigest: required.PublicKey,
			}
		}
	}
	return told
}

// unresolved is a Service that an HTTPRoute refers to and that is not there.
func (w *World) unresolved(r *RouteObject) string {
	if r.Spec.Type == v1alpha1.RouteService {
		return ""
	}
	for _, s := range r.Weights {
		if name := resources.ChildName(s.ReleaseName, r.Spec.ComponentName); w.Services[name] == nil {
			return name
		}
	}
	return ""
}

func contentDigest(r *Release, s Script) string {
	return "sha256:" + strings.Join([]string{r.Spec.Version, s.Content}, "-")
}
