package simulation

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// required is the track that the world's one may require. Its operator is somebody
// else's: only its records are seen.
var required = v1alpha1.RequiredTrack{Namespace: RequiredNamespace, TrackName: TrackName}

// decideElsewhere appends a verdict about the version of a release to the log of the
// required track.
func (w *World) decideElsewhere(name string, verdict v1alpha1.RecordEvent, sameContent bool) {
	release := on[v1alpha1.ImmutableRelease](&w.store, releases, name)
	if release == nil {
		return
	}
	w.tell("> %s: %s is %s, same content: %t", RequiredNamespace, release.Spec.Version, verdict, sameContent)
	content := release.Spec.DeepCopy()
	if !sameContent {
		content.Components[0].Template.Spec.Containers[0].Image = image(0)
	}
	var head *v1alpha1.ReleaseRecordSpec
	if all := w.shelves[elsewhere]; len(all) > 0 {
		head = &all[len(all)-1].(*v1alpha1.ReleaseRecord).Spec
	}
	spec := ledger.Chain(TrackName, head, rollout.Entry{Event: verdict, Reason: "Played", Actor: Actor, Release: &v1alpha1.RecordedRelease{
		Name: name, UID: "there-" + release.UID, Version: release.Spec.Version, CreationTime: metav1.NewTime(w.Now), Attempt: 1, ContentDigest: contentDigest(content),
	}}, w.Now)
	w.mustCreate(&v1alpha1.ReleaseRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: RequiredNamespace, Name: resources.RecordName(TrackName, spec.Sequence)}, Spec: spec,
	})
}

// contentDigest is that of a release as it is stored.
func contentDigest(spec *v1alpha1.ImmutableReleaseSpec) string {
	data, err := json.Marshal(spec)
	must(err)
	digest, err := snapshot.ContentDigest(data)
	must(err)
	return digest
}

// elsewherePromoted says whether the log of the required track, as far as it was seen,
// speaks for a content.
func (s *seen) elsewherePromoted(version, digest string) bool {
	promoted := false
	for _, object := range s.lists[elsewhere] {
		spec := &object.(*v1alpha1.ReleaseRecord).Spec
		if spec.Release.Version == version {
			promoted = (promoted || spec.Event == v1alpha1.EventPromoted && spec.Release.ContentDigest == digest) && !spec.Event.IsNegative()
		}
	}
	return promoted
}
