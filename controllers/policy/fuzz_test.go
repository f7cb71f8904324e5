package policy_test

import (
	"strings"
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// FuzzBelow: a repository is below a path when its first segments are those of the path,
// each whole.
func FuzzBelow(f *testing.F) {
	f.Add("registry.example.com/shop/app", "registry.example.com/shop")
	f.Add("registry.example.com.evil.org/shop", "registry.example.com")
	f.Add("registry.example.com:5000/a", "registry.example.com")
	f.Fuzz(func(t *testing.T, repository, path string) {
		if path == "" || strings.HasSuffix(path, "/") {
			t.Skip() // The schema lets neither through.
		}
		have, want := strings.Split(repository, "/"), strings.Split(path, "/")
		below := len(have) >= len(want)
		for i := range want {
			below = below && have[i] == want[i]
		}
		if got := policy.Below(repository, []v1alpha1.RegistryPath{v1alpha1.RegistryPath(path)}); got != below {
			t.Errorf("%q below %q: %t", repository, path, got)
		}
	})
}
