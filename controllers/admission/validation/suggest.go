package validation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/strata-release/strata/controllers/resources"
)

var lastNumber = regexp.MustCompile(`^(.*?)([0-9]+)([^0-9]*)$`)

// SuggestName suggests how to call the release that was meant by a changed spec:
// after its own version where that was changed too, else after the next one. old
// and now are the JSON of the two objects.
func SuggestName(old, now []byte) (string, error) {
	type release struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			TrackName string `json:"trackName"`
			Version   string `json:"version"`
		} `json:"spec"`
	}
	var before, after release
	if err := json.Unmarshal(old, &before); err != nil {
		return "", fmt.Errorf("decode the stored release: %w", err)
	}
	if err := json.Unmarshal(now, &after); err != nil {
		return "", fmt.Errorf("decode the changed release: %w", err)
	}
	version := after.Spec.Version
	if version == before.Spec.Version || version == "" {
		version = NextVersion(before.Spec.Version)
	}
	return nextName(before.Metadata.Name, before.Spec.TrackName, before.Spec.Version, version), nil
}

// NextVersion counts the last number up: 1.4.2 to 1.4.3, 7-rc1 to 7-rc2.
func NextVersion(version string) string {
	parts := lastNumber.FindStringSubmatch(version)
	if parts == nil {
		return version + "-2"
	}
	number, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return version + "-2" // a hash, or a date with a time
	}
	return parts[1] + fmt.Sprintf("%0*d", len(parts[2]), number+1) + parts[3]
}

// nextName puts the new version where the old one stands in a release's name, and
// behind the track's name where it does not.
func nextName(name, track, version, next string) string {
	old, now := resources.VersionName(version), resources.VersionName(next)
	suggested := resources.ReleaseName(track, next)
	if i := strings.LastIndex(name, old); old != "" && i >= 0 {
		suggested = name[:i] + now + name[i+len(old):]
	}
	if len(suggested) > resources.MaxReleaseName {
		suggested = suggested[:resources.MaxReleaseName]
	}
	return strings.Trim(suggested, "-")
}
