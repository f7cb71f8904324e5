package v1alpha1

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
