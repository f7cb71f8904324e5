package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

func policyOf(t *testing.T, spec v1alpha1.ReleasePolicySpec) policy.Effective {
	t.Helper()
	spec.NamespaceSelector = &metav1.LabelSelector{}
	effective, err := policy.For([]v1alpha1.ReleasePolicy{{ObjectMeta: metav1.ObjectMeta{Name: "platform"}, Spec: spec}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return effective
}

func TestReleaseThatServesForTooLongIsStale(t *testing.T) {
	created := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	age := int64(3600)
	w := &world{}
	w.Releases = []rollout.Release{{Name: "serves", CreationTime: created}, {Name: "idle", CreationTime: created}}
	w.Log.Head = &v1alpha1.ReleaseRecordSpec{State: v1alpha1.TrackState{Routes: []v1alpha1.RouteState{
		{Name: "public", Weights: []v1alpha1.ReleaseWeight{{ReleaseName: "serves", WeightPercent: 100}, {ReleaseName: "idle"}}},
	}}}
	var list []metav1.Condition
	say := func(release int, at time.Duration) *metav1.Condition {
		w.Now = created.Add(at)
		f := findingsOf(w, rollout.Plan{}, nil)
		f.releaseStale(conditions{list: &list, now: w.Now}, &w.Releases[release])
		return meta.FindStatusCondition(list, v1alpha1.ConditionStale)
	}
	if c := say(0, 2*time.Hour); c != nil {
		t.Errorf("no policy asks, and it says %+v", c)
	}
	w.policy = policyOf(t, v1alpha1.ReleasePolicySpec{MaxAgeSeconds: &age})
	if c := say(0, time.Hour-time.Second); c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "2026-03-01T13:00:00Z") {
		t.Errorf("got %+v before its time", c)
	}
	if next := findingsOf(w, rollout.Plan{}, nil).nextStale(); !next.Equal(created.Add(time.Hour)) {
		t.Errorf("looked at again at %s", next)
	}
	if c := say(0, time.Hour); c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "publish that as a new release") {
		t.Errorf("got %+v at its time", c)
	}
	if next := findingsOf(w, rollout.Plan{}, nil).nextStale(); !next.IsZero() {
		t.Errorf("looked at again at %s, although nothing more can be said", next)
	}
	before := append([]metav1.Condition{}, list...)
	w.policyUnread = errors.New("no connection")
	if c := say(0, 2*time.Hour); c == nil || *c != before[0] {
		t.Errorf("nobody knows the policies, and it says %+v", c)
	}
	w.policyUnread = nil
	if c := say(1, 2*time.Hour); c != nil {
		t.Errorf("it does not serve, and it says %+v", c)
	}
}

// What keeps a release from being sealed is never an error: an error would keep the
// track from going back too.
func TestPoliciesKeepOnlyFromSealing(t *testing.T) {
	release := &v1alpha1.ImmutableRelease{Spec: v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{Components: []v1alpha1.Component{{Name: "web"}}}}}
	release.Spec.Components[0].Template.Spec.HostPID = true
	for reason, w := range map[string]*world{
		"PoliciesUnread":   {policyUnread: errors.New("no connection")},
		"PolicyDenied":     {policy: policyOf(t, v1alpha1.ReleasePolicySpec{Privileges: &v1alpha1.PrivilegePolicy{HostNamespaces: v1alpha1.PolicyDeny}})},
		"ImagesNotChecked": {policy: policyOf(t, v1alpha1.ReleasePolicySpec{RegistryAccess: &v1alpha1.RegistryAccessPolicy{}})},
	} {
		err := (&TrackReconciler{}).judge(w, release, &resources.Seal{})
		var unfit *unsealable
		if !errors.As(err, &unfit) || unfit.reason != reason {
			t.Errorf("got %v, want it unsealable as %s", err, reason)
		}
		var unsure *undecided
		if errors.As(err, &unsure) != (reason == "PoliciesUnread") {
			t.Errorf("%s: whether nobody knows is told wrong: %v", reason, err)
		}
	}
	if err := (&TrackReconciler{}).judge(&world{}, release, &resources.Seal{}); err != nil {
		t.Errorf("no policy asks, and it says %v", err)
	}
}

// answering is a check of images that has that answer.
type answering struct {
	Images
	answer images.Answer
}

func (t answering) Ask(images.Question) images.Answer { return t.answer }

// A release is sealed once its images are known to be right, and what was found goes into
// the seal: no answer, and one that tells nothing, are none.
func TestImagesAreRightOrNotSealed(t *testing.T) {
	asking := &world{policy: policyOf(t, v1alpha1.ReleasePolicySpec{RegistryAccess: &v1alpha1.RegistryAccessPolicy{}})}
	for outcome, want := range map[images.Outcome]string{
		images.Pending: "CheckingImages", images.Refused: "ImageNotFound", images.Unknown: "ImageNotFound", images.Passed: "",
	} {
		answer := images.Answer{Outcome: outcome, Reason: "ImageNotFound", Warnings: []string{"not signed"}}
		loop, seal := &TrackReconciler{options: Options{Images: answering{answer: answer}}}, &resources.Seal{}
		err := loop.judge(asking, &v1alpha1.ImmutableRelease{}, seal)
		var unfit *unsealable
		switch {
		case want == "" && (err != nil || len(seal.PolicyWarnings) != 1):
			t.Errorf("%v: %v, and the seal has %v", outcome, err, seal.PolicyWarnings)
		case want != "" && (!errors.As(err, &unfit) || unfit.reason != want || seal.PolicyWarnings != nil):
			t.Errorf("%v: %v, want %s", outcome, err, want)
		}
	}
}

// A backup that comes back is not judged again, and is no way past the policies for what
// was never sealed.
func TestSealsWithoutAnOwnerNeedARecord(t *testing.T) {
	asking := policyOf(t, v1alpha1.ReleasePolicySpec{RegistryAccess: &v1alpha1.RegistryAccessPolicy{}})
	release := &rollout.Release{Name: "shop-1", Spec: &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: "1"}}}
	for name, test := range map[string]struct {
		policy   policy.Effective
		unread   error
		head     bool
		recorded string
		want     bool
	}{
		"no policy asks":             {head: true, want: true},
		"a record tells of it":       {policy: asking, head: true, recorded: "shop-1", want: true},
		"nothing tells of it":        {policy: asking, head: true},
		"another had its version":    {policy: asking, head: true, recorded: "shop-other"},
		"nobody knows what is asked": {unread: errors.New("no connection"), head: true},
		"all records are lost":       {policy: asking, want: true},
	} {
		w := &world{policy: test.policy, policyUnread: test.unread}
		if test.head {
			w.Log.Head = &v1alpha1.ReleaseRecordSpec{}
		}
		w.Log.Digests = map[string]rollout.RecordedDigest{"1": {ReleaseName: test.recorded}}
		if got := w.vouchedFor(release); got != test.want {
			t.Errorf("%s: vouched for %t", name, got)
		}
	}
}
