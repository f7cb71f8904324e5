// Package v1alpha1 is what users say to Strata, and what Strata says back: the
// kinds of API group strata.dev.
//
//	ImmutableRelease  one version of an application; its spec is frozen at creation
//	ReleaseTrack      the line on which releases follow each other, and how
//	ReleaseRecord     one decision of a track: the append-only log, written by the operator
//	ReleaseAction     one human intent: Approve, Abort, Retry, Rollback, ...
//	ReleasePolicy     what a platform team demands of namespaces
//
// +kubebuilder:object:generate=true
// +groupName=strata.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion identifies this API.
var GroupVersion = schema.GroupVersion{Group: "strata.dev", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&ImmutableRelease{}, &ImmutableReleaseList{},
		&ReleaseTrack{}, &ReleaseTrackList{},
		&ReleaseRecord{}, &ReleaseRecordList{},
		&ReleaseAction{}, &ReleaseActionList{},
		&ReleasePolicy{}, &ReleasePolicyList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme adds the kinds of this API to a scheme.
var AddToScheme = schemeBuilder.AddToScheme
