package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleaseTrack is the long-lived line on which the releases of an application
// follow each other: which one is desired, how it is rolled out, where its
// traffic comes from and how long old releases stay. Its name has at most 40
// characters: a letter, then letters, digits and hyphens, in lower case.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rtrack,categories=strata
// +kubebuilder:printcolumn:name="Stable",type=string,JSONPath=`.status.stableReleaseName`,description="The release that the track has settled on"
// +kubebuilder:printcolumn:name="Candidate",type=string,JSONPath=`.status.candidateReleaseName`,description="The release under way"
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.weightPercent`,description="Share of the candidate, in percent"
// +kubebuilder:printcolumn:name="Next",type=integer,JSONPath=`.status.stepWeightPercent`,description="The step that the candidate goes to next, in percent"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Where the rollout stands"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What keeps it there, or what a human can do"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of routes and records",messageExpression="self.metadata.name + ': must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of routes and records'",fieldPath=".metadata.name"
type ReleaseTrack struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec may be edited at any time; what is under way adapts. It is required,
	// {} at the least, and stored as it was written: nothing in it has a default.
	//
	// +required
	Spec ReleaseTrackSpec `json:"spec"`

	// status is what the operator last saw of the track. Nothing is decided from it:
	// it may be deleted at any time and comes back.
	//
	// +optional
	Status ReleaseTrackStatus `json:"status,omitempty"`
}

// ReleaseTrackList is a list of tracks.
//
// +kubebuilder:object:root=true
type ReleaseTrackList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ReleaseTrack `json:"items"`
}

// ReleaseTrackSpec may be edited at any time; what is under way adapts.
type ReleaseTrackSpec struct {
	// releaseName pins the track to one release: that one is rolled out, and newer
	// ones wait. 1 to 40 characters. Unset: the newest release is the desired one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	ReleaseName string `json:"releaseName,omitempty"`

	// releaseTemplate is the release of this track that whoever edits one object in place
	// wants: all that the spec of an ImmutableRelease says (kubectl explain irel.spec), but
	// for trackName. A version that the track never had is created as the ImmutableRelease
	// <track>-<version>, with all but lower-case letters and digits as hyphens; that name
	// has at most 40 characters. The same version with other content is refused: raise
	// version. A version that the track had is not created again. What was created stays
	// when the template goes. Whoever changes it needs what creating that release would
	// need. Unset: releases are published as objects of their own.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.version != oldSelf.version || self == oldSelf",message="STRATA-047: a version has one content for ever: raise version with every change (UPDATE releasetracks)"
	ReleaseTemplate *ReleaseTemplate `json:"releaseTemplate,omitempty"`

	// rollout is how a candidate is given traffic. Unset: blue/green, from 0 to 100
	// percent at once when its tests have passed.
	//
	// +optional
	Rollout *RolloutSpec `json:"rollout,omitempty"`

	// capacity overrides the size of components, of every release that serves, is warm
	// or under way; 0 to 16. It acts at once. Unset: the sizes that the releases name.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(o, o.componentName == c.componentName))",message="a component may be named once"
	Capacity []ComponentCapacity `json:"capacity,omitempty"`

	// traffic is where requests come from. Unset: the releases are workers, which are
	// activated and promoted without steps.
	//
	// +optional
	Traffic *TrafficSpec `json:"traffic,omitempty"`

	// retention is how long old releases stay. Unset: one warm release for a day, and
	// all release objects.
	//
	// +optional
	Retention *RetentionSpec `json:"retention,omitempty"`

	// requires are tracks, of any namespace or of another cluster, on which the same
	// content (the contentDigest of the release) must be Promoted first, 0 to 16: a
	// release is sealed, and gets its first pods and weight once it is Promoted on all of
	// them and no later verdict there speaks against it. Waiting for that has no deadline.
	// A release that was promoted here once need not ask. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.__namespace__ == r.__namespace__ && o.trackName == r.trackName && (has(o.publicKey) ? o.publicKey : '') == (has(r.publicKey) ? r.publicKey : '')))",message="a track may be named once"
	Requires []RequiredTrack `json:"requires,omitempty"`

	// deletionPolicy is what becomes of the routes when the track is deleted: Orphan
	// leaves them, and the releases, serving. With Delete the track owns its routes, and
	// they go with it, also while the operator is down; releases and their pods stay
	// until they are deleted. Unset: Orphan.
	//
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// DeletionPolicy says what becomes of the routes of a deleted track.
//
// +kubebuilder:validation:Enum=Orphan;Delete
type DeletionPolicy string

const (
	// DeletionOrphan leaves routes and releases serving.
	DeletionOrphan DeletionPolicy = "Orphan"
	// DeletionDelete removes the routes.
	DeletionDelete DeletionPolicy = "Delete"
)

// ComponentCapacity overrides the size of a component, more or less: capacity is not
// content.
type ComponentCapacity struct {
	// componentName is the component. 1 to 20 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	ComponentName string `json:"componentName"`

	// replicas is the number of its pods, 1 to 10000. Where the component has
	// autoscaling, it is the least number at least: minReplicas and maxReplicas are
	// raised to it.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Replicas int32 `json:"replicas"`
}

// RetentionSpec is how long old releases stay.
type RetentionSpec struct {
	// warmReleases is how many releases behind the stable one keep all their pods,
	// 0 to 10. Unset: 1. Zero: none, and a rollback has to bring pods up first.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	WarmReleases *int32 `json:"warmReleases,omitempty"`

	// warmSeconds is how long they keep them, in seconds: 0 to 31536000. Unset: 86400.
	// Zero: until they are drained.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	WarmSeconds *int32 `json:"warmSeconds,omitempty"`

	// historyLimit is how many idle release objects are kept, 0 to 1000: of those that
	// have had their verdict and have no pods, the oldest beyond it are removed. Never
	// removed are those that are held, and those that Argo CD, Flux, Helm or an owner
	// reference speak for, and these do not count. Unset: all are kept. Zero: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	HistoryLimit *int32 `json:"historyLimit,omitempty"`

	// recordLimit is how many records of the log are kept, 50 to 10000: where there are
	// a tenth more, the oldest go, once nothing was recorded for an hour. Unset: 500. The
	// newest verdict and the newest Promoted of every version are always kept, beside
	// those.
	//
	// +optional
	// +kubebuilder:validation:Minimum=50
	// +kubebuilder:validation:Maximum=10000
	RecordLimit *int32 `json:"recordLimit,omitempty"`

	// actionSeconds is how long a ReleaseAction is kept that has its outcome, in seconds
	// from the record that gave it: 3600 to 31536000. Then it is deleted; its record
	// stays, and while it does no other action of that name is carried out. What Argo
	// CD, Flux, Helm or an owner reference speak for is never deleted: they would create
	// it again. Unset: 604800.
	//
	// +optional
	// +kubebuilder:validation:Minimum=3600
	// +kubebuilder:validation:Maximum=31536000
	ActionSeconds *int32 `json:"actionSeconds,omitempty"`
}

// RequiredTrack is a track on which the same content must be Promoted first.
type RequiredTrack struct {
	// namespace of the track. 1 to 63 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace"`

	// trackName is the name of the track. 1 to 40 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	// publicKey in PEM of whoever signs the promotions of a track that is in another
	// cluster, at most 8192 characters: one of spec.promotions of the release must then
	// be of that track and signed with it, and no log of this cluster is read. Unset: the
	// track is in this cluster.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:Pattern=`^-----BEGIN PUBLIC KEY-----`
	PublicKey string `json:"publicKey,omitempty"`
}
