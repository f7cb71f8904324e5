package v1alpha1

// ConfigKind is a kind that holds configuration.
//
// +kubebuilder:validation:Enum=ConfigMap;Secret
type ConfigKind string

const (
	ConfigMapKind ConfigKind = "ConfigMap"
	SecretKind    ConfigKind = "Secret"
)

// ReleaseConfig says which configuration is left live, frozen although it
// rotates, or expected to have a certain content.
//
// +kubebuilder:validation:XValidation:rule="!has(self.dynamic) || !has(self.frozen) || self.dynamic.all(d, self.frozen.all(f, f.kind != d.kind || f.name != d.name))",message="the same object cannot be both dynamic and frozen"
// +kubebuilder:validation:XValidation:rule="!has(self.dynamic) || !has(self.expect) || self.dynamic.all(d, self.expect.all(e, e.kind != d.kind || e.name != d.name))",message="what is dynamic has no content to expect"
type ReleaseConfig struct {
	// dynamic objects are left live on purpose: the pods read whatever they hold at
	// the time. 0 to 64. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Dynamic []ConfigReference `json:"dynamic,omitempty"`

	// frozen objects are copied although something rotates them, such as a TLS
	// Secret. 0 to 64. Unset: none; a Secret that something rotates and that is named
	// neither here nor under dynamic stalls the release.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Frozen []ConfigReference `json:"frozen,omitempty"`

	// expect holds contents that must be there before the release is sealed, of
	// objects that a template reads, 0 to 64. Until they are, the release waits, for
	// progressDeadlineSeconds of its track at most. Unset: whatever is there at that
	// moment is frozen.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Expect []ConfigExpectation `json:"expect,omitempty"`
}

// ConfigReference names a ConfigMap or Secret of the release's namespace.
type ConfigReference struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the object, in the release's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
}

// ConfigExpectation is the content that a ConfigMap or Secret must have before
// the release is sealed.
type ConfigExpectation struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the object, in the release's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// sha256 of the content that must be there: 64 hexadecimal digits, lower case. It
	// is over the line "strata/1 config" and the canonical JSON of kind, data (values
	// in base64), and of a ConfigMap binaryData, of a Secret type.
	//
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{64}$`
	SHA256 string `json:"sha256"`
}
