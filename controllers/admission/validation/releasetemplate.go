package validation

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// templatePath is where a track says what release it creates, and versionPath what that is
// called by.
const (
	templatePath = "spec.releaseTemplate"
	versionPath  = templatePath + ".version"
)

// ValidateTemplate says what is wrong with the release that a track would create; nothing
// without a template.
func ValidateTemplate(track *v1alpha1.ReleaseTrack) field.ErrorList {
	rel := resources.TemplateRelease(track)
	if rel == nil {
		return nil
	}
	return InTemplate(ValidateRelease(rel))
}

// InTemplate puts what was said of the fields of the release that a track would create to
// where the track says them. Its name comes from the version.
func InTemplate(errs field.ErrorList) field.ErrorList {
	for _, err := range errs {
		if err.Field == "metadata.name" {
			err.Field, err.Detail = versionPath, "is the name that its release would get: "+err.Detail
		} else {
			err.Field = PathInTemplate(err.Field)
		}
	}
	return errs
}

// PathInTemplate is the path in a track of a field of its release; what does not begin
// with spec stays as it is.
func PathInTemplate(path string) string {
	if path == "spec.trackName" {
		return "metadata.name"
	}
	if below, ok := strings.CutPrefix(path, "spec"); ok && (below == "" || below[0] == '.') {
		return templatePath + below
	}
	return path
}

// TemplateChanges lists in what the templates of two tracks differ, by path, as SpecChanges
// does. Without a template, or where the version is another one too, same is false.
func TemplateChanges(old, now []byte) (changes []Change, same bool, err error) {
	before, err := decodeTemplate(old)
	if err != nil {
		return nil, false, fmt.Errorf("decode the stored object: %w", err)
	}
	after, err := decodeTemplate(now)
	if err != nil {
		return nil, false, fmt.Errorf("decode the changed object: %w", err)
	}
	if before == nil || after == nil {
		return nil, false, nil
	}
	return changedFields(templatePath, before, after), before["version"] == after["version"], nil
}

func decodeTemplate(data []byte) (map[string]any, error) {
	var track struct {
		Spec struct {
			ReleaseTemplate map[string]any `json:"releaseTemplate"`
		} `json:"spec"`
	}
	err := decodeExact(data, &track)
	return track.Spec.ReleaseTemplate, err
}

// TemplateSpec is the JSON of the spec of the release that a track would create, of the
// JSON of the track; nil without a template.
func TemplateSpec(track []byte) ([]byte, error) {
	template, err := decodeTemplate(track)
	if err != nil || template == nil {
		return nil, err
	}
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(track, &named); err != nil {
		return nil, err
	}
	template["trackName"] = named.Metadata.Name
	return json.Marshal(template)
}
