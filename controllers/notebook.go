package controllers

import (
	"maps"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// notebooks hold what this process remembers of each track, to be spared useless
// requests: what it wrote, and the cache may not show yet. Nothing is decided
// from them, and losing them changes nothing.
type notebooks struct{ byTrack sync.Map }

// notebook of one track. A track is worked on by one worker at a time, and so
// needs no lock.
type notebook struct {
	// lists are the options by which all that belongs to the track is listed.
	lists listOptions
	// head is the sequence number of the newest record that this process appended.
	// A cache that is behind it is passed by.
	head int64
	// restlessSince is when the track was last at rest; zero while it is.
	restlessSince time.Time
	// stage that was reported last, for the metrics, and since when; zero where that
	// was not seen.
	stage      string
	stageSince time.Time
	// stale is what was seen last of the sources of what stable has frozen. It is
	// reported, and asked again after a restart.
	stale staleness
	// copies are the last looks at the snapshots of live releases, by the UID of these.
	copies map[types.UID]copiesLook
	// written are the resourceVersions that this process has written over, or
	// deleted, by UID: a cache that still shows one is behind.
	written map[types.UID]string
	// seals that were parsed, while the track moves or an attempt is open.
	seals map[types.UID]parsedSeal
	// ownerless are the seals without an owner that were compared, by the UID of their
	// release, while the track does not rest.
	ownerless map[types.UID]comparison
	// asSealed are the children that were compared with their seal and do not differ: by
	// UID, what they were then.
	asSealed map[types.UID]content
	// jobs of tests that were compared with their seal, by UID, for as long as seals are kept.
	jobs map[types.UID]judgedJob
	// template is what was read last of spec.releaseTemplate.
	template storedTemplate
	// compared is what came of the last comparison with that template.
	compared comparedTemplate
	// rendered is the candidate as it was rendered last, until it is sealed.
	rendered *renderedRelease
	// reports are the statuses written last, by the UID of their object.
	reports map[types.UID]published
}

func (n *notebooks) of(track types.NamespacedName) *notebook {
	if found, ok := n.byTrack.Load(track); ok {
		return found.(*notebook)
	}
	found, _ := n.byTrack.LoadOrStore(track, &notebook{
		lists: listOptionsOf(track), reports: map[types.UID]published{}, written: map[types.UID]string{}, seals: map[types.UID]parsedSeal{},
		ownerless: map[types.UID]comparison{}, asSealed: map[types.UID]content{}, jobs: map[types.UID]judgedJob{}, copies: map[types.UID]copiesLook{},
	})
	return found.(*notebook)
}

func (n *notebooks) forget(track types.NamespacedName) { n.byTrack.Delete(track) }

// keep drops the reports of all other objects.
func (n *notebook) keep(exists map[types.UID]bool) {
	for uid := range n.reports {
		if !exists[uid] {
			delete(n.reports, uid)
		}
	}
}

// keepCompared forgets the children that are gone, once it knows more than there are.
func (n *notebook) keepCompared(children *ownedChildren) {
	if len(n.jobs) > len(children.jobs) {
		there := map[types.UID]bool{}
		for i := range children.jobs {
			there[children.jobs[i].UID] = true
		}
		maps.DeleteFunc(n.jobs, func(uid types.UID, _ judgedJob) bool { return !there[uid] })
	}
	if len(n.asSealed) <= len(children.deployments)+len(children.services)+len(children.autoscalers)+len(children.disruptions) {
		return
	}
	there := map[types.UID]bool{}
	for _, object := range children.deployments {
		there[object.UID] = true
	}
	for _, object := range children.services {
		there[object.UID] = true
	}
	for _, object := range children.autoscalers {
		there[object.UID] = true
	}
	for _, object := range children.disruptions {
		there[object.UID] = true
	}
	maps.DeleteFunc(n.asSealed, func(uid types.UID, _ content) bool { return !there[uid] })
}

// judgedJob says whose a Job is, as it was and by the seal of then.
type judgedJob struct {
	version string
	seal    *resources.Seal
	claim   resources.Claim
}

// judge says whose the Job of a test is. One that has not changed is compared once: a
// track that moves looks at it often.
func (n *notebook) judge(job *batchv1.Job, seal *resources.Seal, facts rollout.Job, owner types.UID) (resources.Claim, error) {
	if known := n.jobs[job.UID]; known.version == job.ResourceVersion && known.seal == seal {
		return known.claim, nil
	}
	sealed, err := seal.Job(facts.Test, facts.Attempt, facts.WeightPercent, 0)
	if err != nil {
		return resources.Claim{}, err
	}
	claim := resources.ClaimOf(sealed, job, owner)
	n.jobs[job.UID] = judgedJob{job.ResourceVersion, seal, claim}
	return claim, nil
}

// parsedSeal is a seal, and the resourceVersion of what it was parsed from.
type parsedSeal struct {
	version string
	seal    *resources.Seal
}

// readSeal parses a seal once for as long as the track moves or an attempt is open, in
// which it is looked at often: seals of large releases are large.
func (n *notebook) readSeal(revision *appsv1.ControllerRevision) (*resources.Seal, error) {
	if known, ok := n.seals[revision.UID]; ok && known.version == revision.ResourceVersion {
		return known.seal, nil
	}
	seal, err := resources.ParseSeal(revision)
	if err == nil {
		n.seals[revision.UID] = parsedSeal{revision.ResourceVersion, seal}
	}
	return seal, err
}

// wrote notes that an object, as it was observed, is what it was no more.
func (n *notebook) wrote(observed client.Object) {
	n.written[observed.GetUID()] = observed.GetResourceVersion()
}

// behind says whether an object was observed as it was before this process wrote it:
// writing it again would be refused.
func (n *notebook) behind(observed client.Object) bool {
	version, ok := n.written[observed.GetUID()]
	return ok && version == observed.GetResourceVersion()
}

// rest: the track has come to rest, or has been given up on for now. What was
// written has been seen.
func (n *notebook) rest(open bool) {
	n.restlessSince = time.Time{}
	clear(n.written)
	if !open {
		clear(n.seals)
		clear(n.jobs)
	}
	clear(n.ownerless)
}
