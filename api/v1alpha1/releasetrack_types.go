package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ReleaseTrack is the long-lived line on which the releases of an application
// follow each other: which one is desired, how it is rolled out, where its
// traffic comes from and how long old releases stay.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
type ReleaseTrack struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ReleaseTrackSpec   `json:"spec"`
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
	ReleaseName    string              `json:"releaseName,omitempty"`
	Rollout        *RolloutSpec        `json:"rollout,omitempty"`
	Capacity       []ComponentCapacity `json:"capacity,omitempty"`
	Traffic        *TrafficSpec        `json:"traffic,omitempty"`
	Retention      *RetentionSpec      `json:"retention,omitempty"`
	Requires       []RequiredTrack     `json:"requires,omitempty"`
	DeletionPolicy DeletionPolicy      `json:"deletionPolicy,omitempty"`
}

// FailurePolicy says what happens to a candidate that fails with weight.
type FailurePolicy string

const (
	FailureRollback FailurePolicy = "Rollback"
	FailureHold     FailurePolicy = "Hold"
)

// SupersedePolicy says what a newer release does to one under way.
type SupersedePolicy string

const (
	SupersedeReplace SupersedePolicy = "Replace"
	SupersedeQueue   SupersedePolicy = "Queue"
)

// AdvancePolicy says whether weight rises by itself.
type AdvancePolicy string

const (
	AdvanceAutomatic AdvancePolicy = "Automatic"
	AdvancePaused    AdvancePolicy = "Paused"
)

// CapacityPolicy says how large a candidate is during its rollout.
type CapacityPolicy string

const (
	CapacityFull         CapacityPolicy = "Full"
	CapacityProportional CapacityPolicy = "Proportional"
)

// DeletionPolicy says what becomes of the routes of a deleted track.
type DeletionPolicy string

const (
	DeletionOrphan DeletionPolicy = "Orphan"
	DeletionDelete DeletionPolicy = "Delete"
)

// ApprovalPolicy says whether a human must approve a step before it is entered.
type ApprovalPolicy string

const (
	ApprovalRequired    ApprovalPolicy = "Required"
	ApprovalNotRequired ApprovalPolicy = "NotRequired"
)

// RolloutSpec is how a candidate is given traffic.
type RolloutSpec struct {
	Steps                   []RolloutStep   `json:"steps,omitempty"`
	BakeSeconds             *int32          `json:"bakeSeconds,omitempty"`
	ProgressDeadlineSeconds *int32          `json:"progressDeadlineSeconds,omitempty"`
	FailureSeconds          *int32          `json:"failureSeconds,omitempty"`
	FailurePolicy           FailurePolicy   `json:"failurePolicy,omitempty"`
	SupersedePolicy         SupersedePolicy `json:"supersedePolicy,omitempty"`
	AdvancePolicy           AdvancePolicy   `json:"advancePolicy,omitempty"`
	Capacity                CapacityPolicy  `json:"capacity,omitempty"`
}

// RolloutStep is a stage of the rollout.
type RolloutStep struct {
	WeightPercent int32          `json:"weightPercent"`
	HoldSeconds   *int32         `json:"holdSeconds,omitempty"`
	Approval      ApprovalPolicy `json:"approval,omitempty"`
}

// ComponentCapacity overrides the size of a component; capacity is not content.
type ComponentCapacity struct {
	ComponentName string `json:"componentName"`
	Replicas      int32  `json:"replicas"`
}

// TrafficSpec is where traffic comes from.
type TrafficSpec struct {
	DrainSeconds *int32  `json:"drainSeconds,omitempty"`
	Routes       []Route `json:"routes,omitempty"`
}

// RouteType selects the traffic provider of a route.
type RouteType string

const (
	RouteGatewayAPI RouteType = "GatewayAPI"
	RouteIngress    RouteType = "Ingress"
	RouteService    RouteType = "Service"
)

// Route is one way by which traffic enters the application.
type Route struct {
	Name          string           `json:"name"`
	ComponentName string           `json:"componentName"`
	PortName      string           `json:"portName"`
	Type          RouteType        `json:"type"`
	GatewayAPI    *GatewayAPIRoute `json:"gatewayAPI,omitempty"`
	Ingress       *IngressRoute    `json:"ingress,omitempty"`
	Service       *ServiceRoute    `json:"service,omitempty"`
}

// GatewayAPIRoute is an operator-owned route object of the Gateway API.
type GatewayAPIRoute struct {
	Kind       string                      `json:"kind"`
	ParentRefs []gatewayv1.ParentReference `json:"parentRefs"`
	Hostnames  []gatewayv1.Hostname        `json:"hostnames,omitempty"`
	Rules      []GatewayAPIRule            `json:"rules,omitempty"`
}

// GatewayAPIRule is a rule of an HTTPRoute without its backends, which are the
// operator's business.
type GatewayAPIRule struct {
	Matches  []gatewayv1.HTTPRouteMatch   `json:"matches,omitempty"`
	Filters  []gatewayv1.HTTPRouteFilter  `json:"filters,omitempty"`
	Timeouts *gatewayv1.HTTPRouteTimeouts `json:"timeouts,omitempty"`
}

// IngressRoute is not supported yet.
type IngressRoute struct {
	Dialect string `json:"dialect"`
	Name    string `json:"name"`
}

// ServiceRoute is a stable Service whose traffic moves at once, when the other
// routes reach 100.
type ServiceRoute struct {
	Name string `json:"name"`
}

// RetentionSpec is how long old releases stay.
type RetentionSpec struct {
	WarmReleases *int32 `json:"warmReleases,omitempty"`
	WarmSeconds  *int32 `json:"warmSeconds,omitempty"`
	HistoryLimit *int32 `json:"historyLimit,omitempty"`
	RecordLimit  *int32 `json:"recordLimit,omitempty"`
}

// RequiredTrack is a track on which the same content must be Promoted first.
type RequiredTrack struct {
	Namespace string `json:"namespace"`
	TrackName string `json:"trackName"`
}

// ReleaseTrackStatus is what the operator last saw of a track. Nothing is
// decided from it.
type ReleaseTrackStatus struct {
	Conditions           []metav1.Condition `json:"conditions,omitempty"`
	ObservedGeneration   int64              `json:"observedGeneration,omitempty"`
	StableReleaseName    string             `json:"stableReleaseName,omitempty"`
	CandidateReleaseName string             `json:"candidateReleaseName,omitempty"`
	// WeightPercent is the candidate's share as last decided, StepWeightPercent
	// the step that it goes to next.
	WeightPercent     int32         `json:"weightPercent"`
	StepWeightPercent int32         `json:"stepWeightPercent,omitempty"`
	StepStartTime     *metav1.Time  `json:"stepStartTime,omitempty"`
	NextStepTime      *metav1.Time  `json:"nextStepTime,omitempty"`
	BlockedBy         *BlockedBy    `json:"blockedBy,omitempty"`
	Records           RecordSummary `json:"records,omitzero"`
}

// BlockedBy is the first gate that does not let weight rise.
type BlockedBy struct {
	Gate    string `json:"gate"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// RecordSummary is the head of the track's log.
type RecordSummary struct {
	Count      int64  `json:"count"`
	HeadDigest string `json:"headDigest,omitempty"`
}
