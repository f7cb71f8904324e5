package validation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// imageReference is the same pattern as in the schema: registry, repository, an
// optional tag, and the digest. It takes every number of five digits for a port.
var imageReference = regexp.MustCompile(`^(?:localhost(?::[0-9]{1,5})?|[a-z0-9][a-z0-9-]*:[0-9]{1,5}|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+(?::[0-9]{1,5})?)/(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?@sha256:[a-f0-9]{64}$`)

const maxImageLength = 512

// imageForm is what a reference looks like.
const imageForm = "registry.example.com/shop/web@sha256:<64 hexadecimal digits>"

// validateImage says in words what the pattern means.
func validateImage(image string, path *field.Path) field.ErrorList {
	switch {
	case image == "":
		return field.ErrorList{field.Required(path, "give the image by digest: "+imageForm)}
	case len(image) > maxImageLength:
		return field.ErrorList{field.TooLong(path, image, maxImageLength)}
	case imageReference.MatchString(image) && wrongRegistry(image) == "":
		return nil
	}
	for _, ask := range []func(string) string{wrongCharacters, wrongDigest, wrongRegistry, wrongTag, wrongRepository} {
		if problem := ask(image); problem != "" {
			return field.ErrorList{field.Invalid(path, image, problem)}
		}
	}
	return field.ErrorList{field.Invalid(path, image, "is not a reference of the form "+imageForm)}
}

// wrongCharacters are those of what is no reference yet, or something around one.
func wrongCharacters(image string) string {
	for _, open := range []string{"$(", "${", "{{"} {
		if strings.Contains(image, open) {
			return "has a variable in it that nobody fills in: give the image as it is to run, " + imageForm
		}
	}
	for _, r := range image {
		if r <= ' ' || r > '~' || strings.ContainsRune(`\"'?#%+`, r) {
			return fmt.Sprintf("has the character %q, which no reference has: %s", r, imageForm)
		}
	}
	if scheme, _, found := strings.Cut(image, "://"); found {
		return fmt.Sprintf("begins with %s://, and a reference begins with its registry: %s", scheme, imageForm)
	}
	return ""
}

func wrongDigest(image string) string {
	name, digest, pinned := strings.Cut(image, "@")
	algorithm, sum, _ := strings.Cut(digest, ":")
	switch {
	case !pinned && tagOf(image) == "":
		return "names no digest, and so means the tag latest, which can move: give the image by digest, " + imageForm
	case !pinned:
		return "names a tag, which can move: give the image by digest, " + imageForm
	case strings.Contains(digest, "@") && !strings.Contains(name, "/"):
		return "has a user in it: name a pull secret in imagePullSecrets, and the image as " + imageForm
	case strings.Contains(digest, "@"):
		return "has more than one @: one digest is what it runs, " + imageForm
	case algorithm != "sha256":
		return "the digest must be of sha256, as in " + imageForm
	case len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "":
		return "the digest must be 64 lower-case hexadecimal digits, as in " + imageForm
	}
	return ""
}

var (
	registryLabel     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	tagForm           = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	repositorySegment = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
)

func wrongRegistry(image string) string {
	name, _, _ := strings.Cut(image, "@")
	registry, _, hasPath := strings.Cut(name, "/")
	host, port, hasPort := strings.Cut(registry, ":")
	switch {
	case !hasPath && strings.ContainsAny(registry, ".") && !strings.Contains(registry, "://"):
		return "names a registry and no repository: " + imageForm
	case !hasPath, registry == "", registry != "localhost" && !strings.ContainsAny(registry, ".:["):
		return "does not name its registry, which each node would choose by itself: " + imageForm
	case strings.HasPrefix(registry, "["), strings.Count(registry, ":") > 1:
		return "names its registry by an IPv6 address, which container runtimes do not take: give its name"
	case strings.ToLower(registry) != registry:
		return "names its registry in capital letters: write it in lower case"
	case hasPort && !isPort(port):
		return fmt.Sprintf("has %q where the port of its registry goes: 1 to 65535", port)
	}
	for _, label := range strings.Split(host, ".") {
		if !registryLabel.MatchString(label) {
			return fmt.Sprintf("names its registry %q, which is no host name", host)
		}
	}
	return ""
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// tagOf is the tag of a reference, with its colon; "" without one.
func tagOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	last := name[strings.LastIndex(name, "/")+1:]
	if colon := strings.Index(last, ":"); colon >= 0 && strings.Contains(name, "/") || colon > 0 {
		return last[colon:]
	}
	return ""
}

func wrongTag(image string) string {
	tag := tagOf(image)
	if tag == "" || tagForm.MatchString(tag[1:]) {
		return ""
	}
	return fmt.Sprintf("has %q where a tag goes: 1 to 128 letters, digits, . _ and -, the first neither . nor -; or leave it out, the digest says it all", tag[1:])
}

func wrongRepository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	_, repository, _ := strings.Cut(strings.TrimSuffix(name, tagOf(image)), "/")
	for _, segment := range strings.Split(repository, "/") {
		switch {
		case segment == "":
			return "has a part of its path that is empty: write one / between parts, and none at the end"
		case strings.ToLower(segment) != segment:
			return fmt.Sprintf("has capital letters in its path (%s): write it in lower case", segment)
		case !repositorySegment.MatchString(segment):
			return fmt.Sprintf("has %q in its path: lower-case letters and digits, with one . or _ or __, or some -, between them", segment)
		}
	}
	return ""
}
