package v1alpha1

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
