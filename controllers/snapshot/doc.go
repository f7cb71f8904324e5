// Package snapshot freezes the configuration of a release, and computes the
// digests by which releases are told apart.
//
//	References  which ConfigMaps and Secrets the templates of a release name
//	Freeze      their immutable copies, and the digest of each content
//	Digests     the two identities of a release, over what the API server stored
//
// All of it is pure: the live objects, and the key by which the content of Secrets
// is hashed, are passed in.
//
// A digest is sha256 over one line that names the scheme and what is hashed, such
// as "strata/1 content\n", and the canonical JSON (RFC 8785) after it. So anybody
// can compute it from a manifest with jq and sha256sum. It is computed once, from
// the stored JSON and never from Go structs, when the release is sealed.
package snapshot
