package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ImmutableRelease is one version of an application: its components, their
// configuration and the tests that they must pass. Nothing of its spec can be
// changed once it exists; a change is a new ImmutableRelease, which is deployed
// beside the old one, tested before it takes any traffic, and given traffic in the
// steps of its ReleaseTrack. Its name has at most 40 characters: a letter, then
// letters, digits and hyphens, in lower case.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=irel,categories=strata
// +kubebuilder:selectablefield:JSONPath=`.spec.trackName`
// +kubebuilder:printcolumn:name="Track",type=string,JSONPath=`.spec.trackName`,description="The track that the release belongs to"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`,description="The version of the application"
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.weightPercent`,description="Share of the traffic, in percent"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.readyComponents`,description="Components that are ready, of all"
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.lastVerdict`,description="How the newest attempt ended"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Where the release stands"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="Why it stands there"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of Services and Jobs",messageExpression="self.metadata.name + ': must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of Services and Jobs'",fieldPath=".metadata.name"
type ImmutableRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the content of this version. It is required, frozen whole at creation,
	// and stored as it was written: nothing in it has a default.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="STRATA-002: spec is immutable: publish a new ImmutableRelease instead (UPDATE immutablereleases)"
	Spec ImmutableReleaseSpec `json:"spec"`

	// status is what the operator last saw of the release. Nothing is decided from
	// it: it may be deleted at any time and comes back.
	//
	// +optional
	Status ImmutableReleaseStatus `json:"status,omitempty"`
}

// ImmutableReleaseList is a list of releases.
//
// +kubebuilder:object:root=true
type ImmutableReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ImmutableRelease `json:"items"`
}

// ImmutableReleaseSpec is the content of a version, frozen whole at creation.
type ImmutableReleaseSpec struct {
	// trackName is the ReleaseTrack, in the same namespace, that this release
	// belongs to. It need not exist yet. 1 to 40 characters, lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	ReleaseTemplate `json:",inline"`
}

// ReleaseTemplate is all that a release says but for its track: what a track says of the
// release that it creates.
type ReleaseTemplate struct {
	// version is the version of the application, for example 1.4.2. In its track a
	// version stands for one content for ever. It becomes a label: 1 to 63 letters,
	// digits, '-', '_' and '.', with a letter or digit at both ends.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Version string `json:"version"`

	// source says where in version control the release comes from. Unset: not known.
	// It is written into the log and compared as content, never fetched.
	//
	// +optional
	Source *ReleaseSource `json:"source,omitempty"`

	// components are the Deployments of the release, 1 to 16, by name. They get
	// traffic together and lose it together.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(o, o.name == c.name))",message="the names of components must be unique"
	Components []Component `json:"components"`

	// config says which ConfigMaps and Secrets are not simply frozen. Unset: all that
	// the templates name are copied when the release is sealed, and the pods read the
	// copies.
	//
	// +optional
	Config *ReleaseConfig `json:"config,omitempty"`

	// tests are Jobs that must succeed before the release gets traffic, or more of
	// it; 0 to 16, by name. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(t, self.exists_one(o, o.name == t.name))",message="the names of tests must be unique"
	Tests []ReleaseTest `json:"tests,omitempty"`

	// promotions prove that the same content was Promoted in another cluster, 0 to 16:
	// what spec.requires of the track asks for where it names a public key. kubectl strata
	// promote writes them. They are no content. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Promotions []SignedPromotion `json:"promotions,omitempty"`
}

// ReleaseSource says where in version control a release comes from.
type ReleaseSource struct {
	// repository is the address of the repository, for example
	// https://git.example.com/shop. 1 to 1024 characters. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Repository string `json:"repository,omitempty"`

	// revision is the commit, for example 3b18e51. 1 to 256 characters without
	// white space. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\s]+$`
	Revision string `json:"revision,omitempty"`

	// buildURL is the page of the build that made the images, http or https. At most
	// 2048 characters. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	BuildURL string `json:"buildURL,omitempty"`
}
