package v1alpha1

// InteractiveMode says whether people may enter pods. There is no Warn: who enters a pod
// is shown no warning.
//
// +kubebuilder:validation:Enum=Deny;Allow
type InteractiveMode string

const (
	// InteractiveDeny keeps everybody out, but for break-glass.
	InteractiveDeny InteractiveMode = "Deny"
	// InteractiveAllow leaves it to the guard label of the namespace.
	InteractiveAllow InteractiveMode = "Allow"
)

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
	// Allowed. Where a cluster did not stamp a release with who that was, Excluded asks
	// for one approval more. Unset: Allowed.
	//
	// +optional
	Requester RequesterPolicy `json:"requester,omitempty"`

	// validSeconds is how long an approval counts, in seconds from its record: 60 to
	// 31536000. One that is older when its step could be entered does not: the step
	// waits for another, which may be by the same person. Unset: for as long as the
	// attempt is open.
	//
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=31536000
	ValidSeconds int32 `json:"validSeconds,omitempty"`
}
