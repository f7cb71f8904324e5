// Package oci is what tests of images need: a registry on loopback, images that are
// pushed there, and keys that sign them as cosign does.
package oci

// T is what is used of a test: *testing.T, or GinkgoT().
type T interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}
