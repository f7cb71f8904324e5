package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// What was compared of children that are gone is forgotten: tracks live for long, and
// have many releases.
func TestComparedChildrenAreForgotten(t *testing.T) {
	there := metav1.ObjectMeta{UID: "there"}
	note := &notebook{asSealed: map[types.UID]content{"there": {}, "gone": {}}, jobs: map[types.UID]judgedJob{"there": {}, "gone": {}}}
	note.keepCompared(&ownedChildren{deployments: map[string]*appsv1.Deployment{"shop-2-web": {ObjectMeta: there}}, jobs: []batchv1.Job{{ObjectMeta: there}}})
	if _, ok := note.asSealed["there"]; !ok || len(note.asSealed) != 1 {
		t.Errorf("knows %v", note.asSealed)
	}
	if _, ok := note.jobs["there"]; !ok || len(note.jobs) != 1 {
		t.Errorf("knows %v", note.jobs)
	}
}

// A Job of a test is compared again once it has changed, or by another seal: its success
// is a gate.
func TestChangedJobsAreJudgedAgain(t *testing.T) {
	sealOf := func(image string) *resources.Seal {
		release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1", UID: "owner"}}
		release.Spec.Tests = []v1alpha1.ReleaseTest{{Name: "smoke"}}
		release.Spec.Tests[0].Template.Spec.Template.Spec.Containers = []corev1.Container{{Name: "smoke", Image: image}}
		rendered, err := resources.Render(release, resources.Digests{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		revision, err := rendered.ControllerRevision(release)
		if err != nil {
			t.Fatal(err)
		}
		seal, err := resources.ParseSeal(revision)
		if err != nil {
			t.Fatal(err)
		}
		return seal
	}
	seal, facts := sealOf("smoke:1"), rollout.Job{Test: "smoke", Attempt: 1}
	job, err := seal.Job("smoke", 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	job.UID, job.ResourceVersion = "job", "1"
	note := (&notebooks{}).of(shop)
	changed := job.DeepCopy()
	changed.ResourceVersion, changed.Spec.Template.Spec.Containers[0].Image = "2", "evil:1"
	for _, look := range []struct {
		job  *batchv1.Job
		seal *resources.Seal
		want rollout.Presence
	}{
		{job, seal, rollout.Ours}, {job, seal, rollout.Ours}, {changed, seal, rollout.Foreign}, {job, seal, rollout.Ours}, {job, sealOf("smoke:2"), rollout.Foreign},
	} {
		claim, err := note.judge(look.job, look.seal, facts, "owner")
		if err != nil || claim.Presence != look.want {
			t.Errorf("resourceVersion %s: %+v, %v, want %v", look.job.ResourceVersion, claim, err, look.want)
		}
	}
}
