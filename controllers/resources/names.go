package resources

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Limits of the names that users choose, in characters. Together they keep every
// derived name within what Kubernetes allows: R-C names a Service and stands in
// labels (63), as does the name of a Job.
const (
	MaxTrackName     = 40
	MaxReleaseName   = 40
	MaxComponentName = 20
	MaxTestName      = 40
	MaxRouteName     = 20

	maxLabelValue = 63
	maxObjectName = 253
)

// plainName is a name without hyphens: joined with others by hyphens it can be
// told apart again.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// notName is what a version has that a name has not.
var notName = regexp.MustCompile(`[^a-z0-9]+`)

// VersionName is a version as names have it: in lower case, with hyphens for all but
// letters and digits. Two versions may have one name.
func VersionName(version string) string {
	return strings.Trim(notName.ReplaceAllString(strings.ToLower(version), "-"), "-")
}

// ReleaseName names the release that a track creates for a version:
// <track>-<version as names have it>. It may be longer than a release's name may be.
func ReleaseName(track, version string) string {
	return track + "-" + VersionName(version)
}

// ChildName names the Deployment, the Service, the HorizontalPodAutoscaler and the
// PodDisruptionBudget of a component. It is unique in
// the namespace because component names have no hyphen.
func ChildName(release, component string) string {
	return release + "-" + component
}

// SplitChildName tells the release and the component of a name that ChildName
// made; ok is false where it made none.
func SplitChildName(name string) (release, component string, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || !plainName.MatchString(name[i+1:]) {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// SealName names the ControllerRevision that holds the seal of a release.
func SealName(release string) string {
	return release + "-seal"
}

// RecordName names a record of a track: the sequence number in six digits, or
// more once it needs them.
func RecordName(track string, sequence int64) string {
	return fmt.Sprintf("%s-%06d", track, sequence)
}

// RouteName names the routing object of one route of a track. Two tracks share a
// name only where a route's name has a hyphen; the second then finds its name
// taken by a foreign object, and stalls.
func RouteName(track, route string) string {
	return track + "-" + route
}

// JobName names the Job that runs a test in an attempt, for the given step
// weight if that is not nil: <release>-<test>-<attempt>[-<weight>]. Where this
// would be ambiguous (a hyphen in the test's name) or longer than a label value,
// it is cut and ends in a hash of the four instead.
func JobName(release, test string, attempt int32, weight *int32) string {
	name := release + "-" + test + "-" + strconv.Itoa(int(attempt))
	if weight != nil {
		name += "-" + strconv.Itoa(int(*weight))
	}
	if plainName.MatchString(test) && len(name) <= maxLabelValue {
		return name
	}
	// A plain name ends in a number without a letter, so it is never one of these.
	suffix := "-h" + shortHash(8, "job", release, test, name[len(release)+len(test)+1:])
	return cut(name, maxLabelValue-len(suffix)) + suffix
}

// SnapshotName names the immutable copy of a ConfigMap or Secret:
// <release>-<name>-<16 hexadecimal digits>. The digits stand for the release, the
// kind, the whole name and the content, so that names that had to be cut to 253
// characters still differ.
func SnapshotName(release string, kind v1alpha1.ConfigKind, name, contentHash string) string {
	suffix := "-" + shortHash(16, "snapshot", release, string(kind), name, contentHash)
	return cut(release+"-"+name, maxObjectName-len(suffix)) + suffix
}

// HostName is the DNS name at which the pods of a namespace reach a component of
// a release, and that release alone.
func HostName(namespace, release, component string) string {
	return ChildName(release, component) + "." + namespace + ".svc"
}

// HostVariable names the environment variable that holds HostName of a component.
func HostVariable(component string) string {
	return v1alpha1.EnvHostPrefix + strings.ToUpper(component)
}

// cut shortens a name to at most n bytes, such that it still ends in a letter or
// a digit and can be followed by a hyphen.
func cut(name string, n int) string {
	if len(name) > n {
		name = name[:n]
	}
	return strings.TrimRight(name, "-.")
}

// shortHash is the first n hexadecimal digits of a hash over the parts, which
// hold no NUL byte.
func shortHash(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:n]
}
