package validation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What is said of the release of a template is said where the track has it.
func TestValidateTemplate(t *testing.T) {
	track := &v1alpha1.ReleaseTrack{}
	track.Name = "shop"
	if errs := ValidateTemplate(track); len(errs) > 0 {
		t.Errorf("without a template: %v", errs)
	}
	template := goodRelease().Spec.ReleaseTemplate
	track.Spec.ReleaseTemplate = &template
	if errs := ValidateTemplate(track); len(errs) > 0 {
		t.Errorf("a good one: %v", errs)
	}
	template.Version = strings.Repeat("1", 40)
	template.Components[0].Template.Spec.Containers[0].Image = "web:1"
	errs := ValidateTemplate(track)
	for path, value := range map[string]string{
		"spec.releaseTemplate.version":                                         "shop-" + template.Version,
		"spec.releaseTemplate.components[0].template.spec.containers[0].image": "web:1",
	} {
		if !slices.ContainsFunc(errs, func(e *field.Error) bool { return e.Field == path && e.BadValue == value }) {
			t.Errorf("%s: %s is not among %v", path, value, errs)
		}
	}
	for path, want := range map[string]string{"spec.trackName": "metadata.name", "spec": "spec.releaseTemplate", "specification": "specification", "metadata.labels": "metadata.labels"} {
		if got := PathInTemplate(path); got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
	}
}

func TestTemplateChanges(t *testing.T) {
	const one = `{"spec":{"releaseTemplate":{"version":"1","tests":[]}}}`
	for now, want := range map[string]struct {
		changes int
		same    bool
	}{
		one: {0, true},
		`{"spec":{"releaseTemplate":{"version":"1","tests":[{}]}}}`: {1, true},
		`{"spec":{"releaseTemplate":{"version":"1"}}}`:              {1, true},
		`{"spec":{"releaseTemplate":{"version":"2","tests":[]}}}`:   {1, false},
		`{"spec":{}}`: {0, false},
	} {
		changes, same, err := TemplateChanges([]byte(one), []byte(now))
		if err != nil || len(changes) != want.changes || same != want.same {
			t.Errorf("%s: %v, same %t, %v", now, changes, same, err)
		}
	}
	spec, err := TemplateSpec([]byte(`{"metadata":{"name":"shop"},"spec":{"releaseTemplate":{"version":"1","n":9007199254740993}}}`))
	if err != nil || !json.Valid(spec) || string(spec) != `{"n":9007199254740993,"trackName":"shop","version":"1"}` {
		t.Errorf("the spec is %s, %v", spec, err)
	}
}
