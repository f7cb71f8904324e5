// Package signatures verifies who signed an image, with cosign: by a key, or by a
// certificate for an identity. The registry that has the image is all that is asked;
// what is trusted is given, and never fetched.
//
//	authority.go  one whose signatures count, and what it takes to believe it
//	find.go       the signatures that a registry has beside an image
//	legacy.go     ... of the older form, under a tag, read as if it were a bundle
//	verify.go     an image, what was found, and the authorities: evidence, or why not
//
// A signature counts if it is over the digest of the image itself and says that it is
// a signature of an image: who is trusted to sign, and attests to something else about
// the image (a report, a provenance), has not signed it.
//
// Errors are those of package registry: Refused, or Unknown where a registry could not
// be asked.
package signatures
