package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleasePolicy is what a platform team demands of the releases in the namespaces
// that it selects. Where several select a namespace, the most restrictive answer to
// each question holds; what none of them asks for is not restricted.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=rpol,categories=strata
// +kubebuilder:printcolumn:name="Interactive",type=string,JSONPath=`.spec.interactiveAccess`,description="Whether people may enter pods"
// +kubebuilder:printcolumn:name="Approvals",type=integer,JSONPath=`.spec.approvals.count`,description="How many people must approve a step"
// +kubebuilder:printcolumn:name="Signatures",type=string,JSONPath=`.spec.signatures.enforcement`,description="What happens to images without a signature"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ReleasePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the selected namespaces must keep to. It is required and may be
	// edited; releases that exist already are not judged again.
	//
	// +required
	Spec ReleasePolicySpec `json:"spec"`
}

// ReleasePolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type ReleasePolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ReleasePolicy `json:"items"`
}

// PolicyMode is how a policy answers what it does not want.
//
// +kubebuilder:validation:Enum=Deny;Warn;Allow
type PolicyMode string

const (
	// PolicyDeny refuses it.
	PolicyDeny PolicyMode = "Deny"
	// PolicyWarn lets it pass with a warning.
	PolicyWarn PolicyMode = "Warn"
	// PolicyAllow lets it pass.
	PolicyAllow PolicyMode = "Allow"
)

// ReleasePolicySpec is what the selected namespaces must keep to.
type ReleasePolicySpec struct {
	// namespaceSelector selects the namespaces by their labels. It is required; {}
	// selects all of them.
	//
	// +required
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector"`

	// allowedRegistries are where images may come from, 1 to 64: a registry host, and
	// as many segments of the path as matter. registry.example.com/shop allows
	// registry.example.com/shop/web, and not registry.example.com/shopping/web. Unset:
	// any registry.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AllowedRegistries []RegistryPath `json:"allowedRegistries,omitempty"`

	// registryAccess is how the operator may ask registries. Unset: over https alone,
	// and never at link-local, loopback or metadata addresses.
	//
	// +optional
	RegistryAccess *RegistryAccessPolicy `json:"registryAccess,omitempty"`

	// signatures that images must carry. Unset: none.
	//
	// +optional
	Signatures *SignaturePolicy `json:"signatures,omitempty"`

	// interactiveAccess says whether people may exec into, attach to, forward ports of
	// and debug the pods of releases: Deny, Warn or Allow. Unset: Deny in namespaces
	// with the guard label, else Allow.
	//
	// +optional
	InteractiveAccess PolicyMode `json:"interactiveAccess,omitempty"`

	// breakGlass says who may open interactive access for a while where it is denied.
	// Unset: nobody.
	//
	// +optional
	BreakGlass *BreakGlassPolicy `json:"breakGlass,omitempty"`

	// externalState says which state outside of a release its pods may use. Unset:
	// all of it.
	//
	// +optional
	ExternalState *ExternalStatePolicy `json:"externalState,omitempty"`

	// privileges says which privileges the containers of a release may have. Unset:
	// all that the namespace's Pod Security level lets pass.
	//
	// +optional
	Privileges *PrivilegePolicy `json:"privileges,omitempty"`

	// allowedServiceAccountNames are the ServiceAccounts that pods and test Jobs may
	// use, 1 to 64. Unset: any on which the author of the release holds the verb use.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	AllowedServiceAccountNames []ServiceAccountName `json:"allowedServiceAccountNames,omitempty"`

	// maxAgeSeconds is how old a serving release may become before its condition
	// Stale says that it misses patches, in seconds: 3600 to 315360000. Unset: it may
	// become any age.
	//
	// +optional
	// +kubebuilder:validation:Minimum=3600
	// +kubebuilder:validation:Maximum=315360000
	MaxAgeSeconds *int64 `json:"maxAgeSeconds,omitempty"`

	// approvals that a step with approval Required needs. Unset: one, by anyone who
	// holds the verb approve.
	//
	// +optional
	Approvals *ApprovalsPolicy `json:"approvals,omitempty"`

	// writers are the programs besides the operator that may write to what a release
	// runs, each for one purpose, 0 to 32. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(w, self.exists_one(o, o.name == w.name))",message="the names of writers must be unique"
	Writers []NamedWriter `json:"writers,omitempty"`
}

// RegistryPath is a registry host and the first segments of a path, for example
// registry.example.com/shop. Segments count whole.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=512
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`
type RegistryPath string

// RegistryHost is a registry host, for example registry.example.com:5000.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=260
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$`
type RegistryHost string

// ServiceAccountName is the name of a ServiceAccount in the release's namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
type ServiceAccountName string

// RegistryAccessPolicy is how the operator may ask registries.
type RegistryAccessPolicy struct {
	// plainHTTPHosts are registries that may be asked over http, 0 to 16. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	PlainHTTPHosts []RegistryHost `json:"plainHTTPHosts,omitempty"`

	// privateHosts are registries that may be at link-local, loopback or metadata
	// addresses, 0 to 16. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	PrivateHosts []RegistryHost `json:"privateHosts,omitempty"`
}

// SignaturePolicy is which signatures the images of a release must carry.
type SignaturePolicy struct {
	// enforcement is what happens to a release with an image that no authority has
	// signed: Deny, Warn or Allow.
	//
	// +required
	Enforcement PolicyMode `json:"enforcement"`

	// authorities that may sign, 1 to 16, by name: the signature of one is enough.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.exists_one(o, o.name == a.name))",message="the names of authorities must be unique"
	Authorities []SignatureAuthority `json:"authorities"`
}

// SignatureAuthorityType selects how an authority signs.
//
// +kubebuilder:validation:Enum=Key;Keyless
type SignatureAuthorityType string

const (
	// SignatureKey signs with a key of its own.
	SignatureKey SignatureAuthorityType = "Key"
	// SignatureKeyless signs with a certificate for its identity.
	SignatureKeyless SignatureAuthorityType = "Keyless"
)

// SignatureAuthority is one whose signatures count, made with cosign.
//
// +kubebuilder:validation:XValidation:rule="has(self.key) == (self.type == 'Key')",message="key must be set when type is Key, and only then",fieldPath=".key"
// +kubebuilder:validation:XValidation:rule="has(self.keyless) == (self.type == 'Keyless')",message="keyless must be set when type is Keyless, and only then",fieldPath=".keyless"
type SignatureAuthority struct {
	// name of the authority, which seals and records give as evidence. 1 to 63
	// letters, digits and hyphens, in lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// type selects how it signs: Key or Keyless.
	//
	// +required
	// +unionDiscriminator
	Type SignatureAuthorityType `json:"type"`

	// images that it may sign, 1 to 64 registry paths. Unset: all.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Images []RegistryPath `json:"images,omitempty"`

	// key is set when type is Key.
	//
	// +optional
	Key *KeyAuthority `json:"key,omitempty"`

	// keyless is set when type is Keyless.
	//
	// +optional
	Keyless *KeylessAuthority `json:"keyless,omitempty"`
}

// KeyAuthority signs with a key of its own.
type KeyAuthority struct {
	// publicKey in PEM, at most 8192 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +kubebuilder:validation:Pattern=`^-----BEGIN PUBLIC KEY-----`
	PublicKey string `json:"publicKey"`
}

// KeylessAuthority signs with a short-lived certificate for its identity.
type KeylessAuthority struct {
	// issuer of the identity, an https address, compared whole. At most 2048
	// characters.
	//
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https://[^\s]+$`
	Issuer string `json:"issuer"`

	// subject is the identity, compared whole, for example the address of a build
	// workflow. 1 to 2048 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Subject string `json:"subject"`

	// trustedRootName is the ConfigMap in the operator's namespace that holds the
	// trusted root, under the key trusted_root.json. It is never fetched from
	// elsewhere. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	TrustedRootName string `json:"trustedRootName"`
}

// TicketPolicy says whether a ticket must be named.
//
// +kubebuilder:validation:Enum=Required;NotRequired
type TicketPolicy string

const (
	// TicketRequired refuses a break-glass without a ticket.
	TicketRequired TicketPolicy = "Required"
	// TicketNotRequired does not ask for one.
	TicketNotRequired TicketPolicy = "NotRequired"
)

// BreakGlassPolicy says who may open interactive access, and for how long.
type BreakGlassPolicy struct {
	// groups of users who may, besides holding the verb breakglass on the track; 1 to
	// 16 names of at most 253 characters.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`

	// ticket says whether a ticket must be named: Required or NotRequired. Unset:
	// Required.
	//
	// +optional
	Ticket TicketPolicy `json:"ticket,omitempty"`

	// maxSeconds is the longest time for which access may be opened, in seconds: 60 to
	// 86400. Unset: 3600.
	//
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	MaxSeconds *int32 `json:"maxSeconds,omitempty"`
}

// ExternalStatePolicy says which state outside of a release its pods may use.
type ExternalStatePolicy struct {
	// hostPath volumes: Deny, Warn or Allow. Unset: Allow.
	//
	// +optional
	HostPath PolicyMode `json:"hostPath,omitempty"`

	// writableVolumes are PersistentVolumeClaims that a container may write to: Deny,
	// Warn or Allow. Unset: Allow.
	//
	// +optional
	WritableVolumes PolicyMode `json:"writableVolumes,omitempty"`

	// unlimitedEmptyDirs are emptyDir volumes without a sizeLimit: Deny, Warn or
	// Allow. Unset: Allow.
	//
	// +optional
	UnlimitedEmptyDirs PolicyMode `json:"unlimitedEmptyDirs,omitempty"`

	// writableRootFilesystem is a container without readOnlyRootFilesystem: Deny, Warn
	// or Allow. Unset: Allow.
	//
	// +optional
	WritableRootFilesystem PolicyMode `json:"writableRootFilesystem,omitempty"`
}

// PrivilegePolicy says which privileges the containers of a release may have.
type PrivilegePolicy struct {
	// privilegedContainers are those with securityContext.privileged: Deny, Warn or
	// Allow. Unset: Allow.
	//
	// +optional
	PrivilegedContainers PolicyMode `json:"privilegedContainers,omitempty"`

	// hostNamespaces are hostPID and hostIPC, and hostNetwork of test Jobs: Deny, Warn
	// or Allow. Unset: Allow.
	//
	// +optional
	HostNamespaces PolicyMode `json:"hostNamespaces,omitempty"`

	// addedCapabilities are those that a container adds to the usual ones: Deny, Warn
	// or Allow. Unset: Allow.
	//
	// +optional
	AddedCapabilities PolicyMode `json:"addedCapabilities,omitempty"`

	// privilegeEscalation is a container without allowPrivilegeEscalation false: Deny,
	// Warn or Allow. Unset: Allow.
	//
	// +optional
	PrivilegeEscalation PolicyMode `json:"privilegeEscalation,omitempty"`

	// rootUser is a container without runAsNonRoot: Deny, Warn or Allow. Unset: Allow.
	//
	// +optional
	RootUser PolicyMode `json:"rootUser,omitempty"`
}

// RequesterPolicy says whether who published a release may approve it.
//
// +kubebuilder:validation:Enum=Excluded;Allowed
type RequesterPolicy string

const (
	// RequesterExcluded does not count the approval of who published the release.
	RequesterExcluded RequesterPolicy = "Excluded"
	// RequesterAllowed counts it.
	RequesterAllowed RequesterPolicy = "Allowed"
)

// ApprovalsPolicy is what an approval takes.
type ApprovalsPolicy struct {
	// count of different people who must approve a step, 1 to 10.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Count int32 `json:"count"`

	// requester says whether who published the release may be one of them: Excluded or
	// Allowed. Unset: Allowed.
	//
	// +optional
	Requester RequesterPolicy `json:"requester,omitempty"`
}

// WriterType selects what a writer may write.
//
// +kubebuilder:validation:Enum=PodAnnotator;Scaler;SidecarInjector
type WriterType string

const (
	// WriterPodAnnotator annotates pods, as network plugins do.
	WriterPodAnnotator WriterType = "PodAnnotator"
	// WriterScaler changes the size of a component, or of its pods.
	WriterScaler WriterType = "Scaler"
	// WriterSidecarInjector adds containers to pods when they are created.
	WriterSidecarInjector WriterType = "SidecarInjector"
)

// NamedWriter is a program that may write to what a release runs, for one purpose.
//
// +kubebuilder:validation:XValidation:rule="has(self.podAnnotator) == (self.type == 'PodAnnotator')",message="podAnnotator must be set when type is PodAnnotator, and only then",fieldPath=".podAnnotator"
// +kubebuilder:validation:XValidation:rule="has(self.scaler) == (self.type == 'Scaler')",message="scaler must be set when type is Scaler, and only then",fieldPath=".scaler"
// +kubebuilder:validation:XValidation:rule="has(self.sidecarInjector) == (self.type == 'SidecarInjector')",message="sidecarInjector must be set when type is SidecarInjector, and only then",fieldPath=".sidecarInjector"
type NamedWriter struct {
	// name of the writer, for messages and records. 1 to 63 letters, digits and
	// hyphens, in lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// type selects what it may write: PodAnnotator, Scaler or SidecarInjector.
	//
	// +required
	// +unionDiscriminator
	Type WriterType `json:"type"`

	// podAnnotator is set when type is PodAnnotator.
	//
	// +optional
	PodAnnotator *PodAnnotator `json:"podAnnotator,omitempty"`

	// scaler is set when type is Scaler.
	//
	// +optional
	Scaler *Scaler `json:"scaler,omitempty"`

	// sidecarInjector is set when type is SidecarInjector.
	//
	// +optional
	SidecarInjector *SidecarInjector `json:"sidecarInjector,omitempty"`
}

// PodAnnotator annotates pods.
type PodAnnotator struct {
	// username by which the API server knows the writer, for example
	// system:serviceaccount:kube-system:calico-node. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username"`

	// annotations that it may write, by their whole keys; 1 to 32, of at most 317
	// characters.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('strata.dev/')",message="annotations under strata.dev/ are written by the operator alone",messageExpression="self + ': annotations under strata.dev/ are written by the operator alone'"
	Annotations []string `json:"annotations"`
}

// ScaleTarget is what a scaler changes.
//
// +kubebuilder:validation:Enum=Replicas;Resources
type ScaleTarget string

const (
	// ScaleReplicas is the number of pods.
	ScaleReplicas ScaleTarget = "Replicas"
	// ScaleResources is the size of running pods.
	ScaleResources ScaleTarget = "Resources"
)

// Scaler changes the size of a component.
type Scaler struct {
	// username by which the API server knows the writer. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username"`

	// target is what it may change: Replicas, the number of pods (KEDA); Resources,
	// the resources of running pods (VPA).
	//
	// +required
	Target ScaleTarget `json:"target"`
}

// SidecarInjector adds containers to pods when they are created, by a webhook.
type SidecarInjector struct {
	// images that it may add, by digest; 1 to 16.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^[^\s@]+/[^\s@]+@sha256:[a-f0-9]{64}$`
	Images []string `json:"images"`
}
