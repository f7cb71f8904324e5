package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleasePolicy is what a platform team demands of namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
type ReleasePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

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

// ReleasePolicySpec is what the selected namespaces must keep to.
type ReleasePolicySpec struct {
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}
