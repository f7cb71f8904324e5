package simulation

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/images"
)

// policies of the cluster. Where there is one, it asks for a check of images, and for
// approvals that have not lapsed.
func (w *World) policies() []v1alpha1.ReleasePolicy {
	if !w.policed {
		return nil
	}
	return []v1alpha1.ReleasePolicy{{
		ObjectMeta: metav1.ObjectMeta{Name: "platform", UID: "uid-platform", Generation: 1},
		Spec: v1alpha1.ReleasePolicySpec{
			NamespaceSelector: &metav1.LabelSelector{}, RegistryAccess: &v1alpha1.RegistryAccessPolicy{},
			Approvals: &v1alpha1.ApprovalsPolicy{Count: 1, ValidSeconds: int32(validApprovals / time.Second)},
		},
	}}
}

// checkTime is how long a registry takes to answer.
const checkTime = time.Second

// registries are the check of images of a process.
type registries struct {
	controllers.Images
	p *process
	// asked is since when the process has asked about a release, passed what it was told
	// is right.
	asked  map[types.UID]time.Time
	passed map[types.UID]bool
}

// Ask answers as the scripts of releases say, once the registries have had their time.
func (r *registries) Ask(q images.Question) images.Answer {
	w := r.p.w
	since, asked := r.asked[q.Release]
	release := ""
	for _, object := range w.shelves[releases] {
		if object.GetUID() == q.Release {
			release = object.GetName()
		}
	}
	switch {
	case !asked:
		r.asked[q.Release] = w.Now
		r.p.wakeAfter(checkTime)
		return images.Answer{Outcome: images.Pending}
	case w.Now.Before(since.Add(checkTime)):
		return images.Answer{Outcome: images.Pending}
	case w.registryDown:
		return images.Answer{Outcome: images.Unknown, Reason: "RegistryUnreachable", Message: "no connection"}
	case w.script(release).refused:
		return images.Answer{Outcome: images.Refused, Reason: "ImageNotFound", Message: "the registry does not have it"}
	}
	r.passed[q.Release] = true
	return images.Answer{Outcome: images.Passed}
}

// checkAsked: where a policy asks, nothing is sealed of which the writer was not told that
// its images are right.
func (w *World) checkAsked(p *process, write written) {
	revision, sealed := write.after.(*appsv1.ControllerRevision)
	if !w.policed || !sealed || write.verb != "create" {
		return
	}
	if owner := metav1.GetControllerOfNoCopy(revision); owner == nil || !p.registries.passed[owner.UID] {
		w.violate("Policies", "%s: nobody said that its images are right", write)
	}
}

// drawAhead is by how much a clock is ahead of the API server's, or, where it is negative,
// behind it.
func (w *World) drawAhead() time.Duration {
	most := int(maxAhead / time.Millisecond)
	ahead := w.draw(2*most + 1)
	if ahead > most {
		ahead = most - ahead
	}
	return time.Duration(ahead) * time.Millisecond
}

// skew is by how much the clocks of two operators may differ.
func (w *World) skew() time.Duration {
	if !w.skewed {
		return 0
	}
	return 2 * maxAhead
}

// maxAhead is by how much one may be ahead of the API server, or behind it.
const maxAhead = time.Second
