package v1alpha1

// EffectivePolicy is what the policies that select a namespace ask of its releases
// together: the most restrictive answer to each question. What is not here is not
// restricted.
type EffectivePolicy struct {
	// policyNames are the ReleasePolicies that select the namespace, at most 256.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	PolicyNames []string `json:"policyNames"`

	// allowedRegistries are where images may come from, at most 4096. Empty: the policies
	// exclude each other, and no image may be used. Unset: any registry.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4096
	AllowedRegistries *[]RegistryPath `json:"allowedRegistries,omitempty"`

	// allowedServiceAccountNames are the ServiceAccounts that pods and test Jobs may
	// use, at most 64. Empty: the policies exclude each other. Unset: any on which the
	// author of a release holds the verb use.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	AllowedServiceAccountNames *[]ServiceAccountName `json:"allowedServiceAccountNames,omitempty"`

	// signatures that images must carry: all of these. At most 256.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Signatures []EffectiveSignatures `json:"signatures,omitempty"`

	// approvals that a step with approval Required needs. Unset: one, by anyone who holds
	// the verb approve.
	//
	// +optional
	Approvals *ApprovalsPolicy `json:"approvals,omitempty"`

	// writerNames are the programs that may write to what a release runs, by the names
	// in the first of these policies that has writers; what each may do is in the annotation
	// strata.dev/writers of the namespace. At most 32. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	WriterNames []string `json:"writerNames,omitempty"`

	// rules that something is denied or warned of by, at most 64.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Rules []EffectiveRule `json:"rules,omitempty"`

	// breakGlass says who may open interactive access: whom all of these let. At most 256.
	// Unset: nobody.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	BreakGlass []EffectiveBreakGlass `json:"breakGlass,omitempty"`

	// maxAgeSeconds is how old a serving release may become before it is Stale. Unset:
	// any age.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxAgeSeconds int64 `json:"maxAgeSeconds,omitempty"`

	// maxRollouts is how many rollouts may be under way at once in the namespace. Unset:
	// any number.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxRollouts int32 `json:"maxRollouts,omitempty"`
}

// EffectiveSignatures is what one policy demands.
type EffectiveSignatures struct {
	// policyName of the ReleasePolicy.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	PolicyName string `json:"policyName"`

	// enforcement is what happens without: Deny or Warn.
	//
	// +required
	Enforcement PolicyMode `json:"enforcement"`

	// authorityNames are those of which one has to have signed, 1 to 16.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	AuthorityNames []string `json:"authorityNames"`
}

// EffectiveBreakGlass is what one policy lets people open.
type EffectiveBreakGlass struct {
	// policyName of the ReleasePolicy.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	PolicyName string `json:"policyName"`

	// groups of users who may, 1 to 16.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`

	// ticket says whether a ticket must be named: Required or NotRequired.
	//
	// +required
	Ticket TicketPolicy `json:"ticket"`

	// maxSeconds is the longest time, in seconds: 60 to 86400.
	//
	// +required
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	MaxSeconds int32 `json:"maxSeconds"`
}

// EffectiveRule is the answer to one question.
type EffectiveRule struct {
	// field of a policy's spec, for example externalState.hostPath.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Field string `json:"field"`

	// mode is the most restrictive answer: Deny or Warn.
	//
	// +required
	Mode PolicyMode `json:"mode"`

	// policyName of a ReleasePolicy that gives it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	PolicyName string `json:"policyName"`
}
