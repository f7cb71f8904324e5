package validation

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// imageReference is the same pattern as in the schema: registry, repository, an
// optional tag, and the digest.
var imageReference = regexp.MustCompile(`^(?:localhost(?::[0-9]{1,5})?|[a-z0-9][a-z0-9-]*:[0-9]{1,5}|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+(?::[0-9]{1,5})?)/(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[a-f0-9]{64}$`)

const maxImageLength = 512

// validateImage says in words what the pattern means.
func validateImage(image string, path *field.Path) field.ErrorList {
	const form = "registry.example.com/shop/web@sha256:<64 hexadecimal digits>"
	_, digest, pinned := strings.Cut(image, "@sha256:")
	registry, _, hasPath := strings.Cut(image, "/")
	var problem string
	switch {
	case image == "":
		return field.ErrorList{field.Required(path, "give the image by digest: "+form)}
	case len(image) > maxImageLength:
		return field.ErrorList{field.TooLong(path, image, maxImageLength)}
	case imageReference.MatchString(image):
		return nil
	case !pinned:
		problem = "names a tag, which can move: give the image by digest, " + form
	case len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "":
		problem = "the digest must be 64 lower-case hexadecimal digits, as in " + form
	case !hasPath || (registry != "localhost" && !strings.ContainsAny(registry, ".:")):
		problem = "does not name its registry, which each node would choose by itself: " + form
	default:
		problem = "is not a reference of the form " + form
	}
	return field.ErrorList{field.Invalid(path, image, problem)}
}
