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
	// edited; releases that are sealed already are not judged again.
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

	// registryAccess lets the operator ask the registries whether each image is there,
	// can be run, and is for one of the nodes, before a release is sealed; {} asks over
	// https alone, and never at link-local, loopback or metadata addresses. Unset: the
	// same, and only where signatures are demanded.
	//
	// +optional
	RegistryAccess *RegistryAccessPolicy `json:"registryAccess,omitempty"`

	// signatures that images must carry. Unset: none.
	//
	// +optional
	Signatures *SignaturePolicy `json:"signatures,omitempty"`

	// interactiveAccess says whether people may exec into, attach to and forward ports of
	// pods in namespaces that have a track: Deny or Allow. Deny guards them, as the
	// guard label does. Unset, and Allow: the guard label of a namespace alone decides.
	//
	// +optional
	InteractiveAccess InteractiveMode `json:"interactiveAccess,omitempty"`

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
	// use, 1 to 64. In a namespace with a policy, the author of a release must besides
	// hold the verb use on each of them but "default", so that nobody gets by a release
	// what they may not do themselves. Unset: any on which the author does.
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

	// maxRollouts is how many rollouts may be under way at once in each selected
	// namespace, 1 to 1000: others wait before their tests and pods, the oldest first.
	// What goes back waits for nobody, nor does what is to replace a release that is down.
	// Unset: any number, as far as the operator's own limit for all namespaces lets it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxRollouts *int32 `json:"maxRollouts,omitempty"`

	// approvals that a step with approval Required needs. Unset: one, by anyone who
	// holds the verb approve.
	//
	// +optional
	Approvals *ApprovalsPolicy `json:"approvals,omitempty"`

	// writers are the programs besides the operator that may write to what a release
	// runs, each for one purpose, 0 to 32. What one may do must be said by every policy of
	// a namespace that has writers; those without have no say. Empty: none, whatever
	// others say. Unset, in all of them: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(w, self.exists_one(o, o.name == w.name))",message="the names of writers must be unique"
	Writers []NamedWriter `json:"writers,omitzero"`
}

// ServiceAccountName is the name of a ServiceAccount in the release's namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
type ServiceAccountName string
