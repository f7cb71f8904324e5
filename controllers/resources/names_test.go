package resources

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestDerivedNames(t *testing.T) {
	long40, long20 := strings.Repeat("r", 40), strings.Repeat("c", 20)
	tests := []struct{ name, got, want string }{
		{"child", ChildName("shop-1-4-2", "web"), "shop-1-4-2-web"},
		{"longest child", ChildName(long40, long20), long40 + "-" + long20},
		{"seal", SealName("shop-1-4-2"), "shop-1-4-2-seal"},
		{"record", RecordName("shop", 42), "shop-000042"},
		{"record past six digits", RecordName("shop", 12345678), "shop-12345678"},
		{"route", RouteName("shop", "public"), "shop-public"},
		{"job", JobName("shop-1-4-2", "smoke", 3, nil), "shop-1-4-2-smoke-3"},
		{"job of a step", JobName("shop-1-4-2", "smoke", 3, ptr.To[int32](50)), "shop-1-4-2-smoke-3-50"},
		{"job of a test with a hyphen", JobName("shop-1-4-2", "error-rate", 1, nil), "shop-1-4-2-error-rate-1-h5366dfaa"},
		{"host", HostName("shop", "shop-1-4-2", "api"), "shop-1-4-2-api.shop.svc"},
		{"host variable", HostVariable("api"), "STRATA_HOST_API"},
		{"snapshot", SnapshotName("shop-1-4-2", v1alpha1.ConfigMapKind, "settings", "sha256:aa"), "shop-1-4-2-settings-533fc9288c581ba5"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", test.name, test.got, test.want)
		}
	}
}

// TestJobNamesDiffer makes all names over parts that are easily confused.
func TestJobNamesDiffer(t *testing.T) {
	releases := []string{"a", "a-b", "a-b-1", "a-1", strings.Repeat("a", 40), strings.Repeat("a", 39) + "b"}
	tests := []string{"b", "c", "b-c", "b-1", "c-1-20", strings.Repeat("t", 40), strings.Repeat("t", 39) + "u", "t-" + strings.Repeat("t", 38)}
	weights := []*int32{nil, ptr.To[int32](1), ptr.To[int32](20), ptr.To[int32](100)}
	seen := map[string]string{}
	for _, release := range releases {
		for _, test := range tests {
			for _, attempt := range []int32{1, 2, 11, 120, math.MaxInt32} {
				for _, weight := range weights {
					name := JobName(release, test, attempt, weight)
					parts := fmt.Sprint(release, " ", test, " ", attempt, " ", ptr.Deref(weight, -1))
					if other, taken := seen[name]; taken {
						t.Errorf("%s is the name of %s and of %s", name, other, parts)
					}
					seen[name] = parts
					if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
						t.Errorf("%s (%d characters): %v", name, len(name), problems)
					}
				}
			}
		}
	}
}

func TestSnapshotNamesDiffer(t *testing.T) {
	long := strings.Repeat("n", 253)
	seen := map[string]bool{}
	for _, release := range []string{"a", "a-b", strings.Repeat("a", 40)} {
		for _, kind := range []v1alpha1.ConfigKind{v1alpha1.ConfigMapKind, v1alpha1.SecretKind} {
			for _, name := range []string{"b", "b-c", "c", "b.c", long, long[:252] + "m", strings.Repeat("n.", 126) + "n"} {
				for _, hash := range []string{"sha256:00", "sha256:01"} {
					copied := SnapshotName(release, kind, name, hash)
					if seen[copied] {
						t.Errorf("%s is there twice", copied)
					}
					seen[copied] = true
					if problems := validation.IsDNS1123Subdomain(copied); len(problems) > 0 {
						t.Errorf("%s (%d characters): %v", copied, len(copied), problems)
					}
				}
			}
		}
	}
}

func FuzzJobName(f *testing.F) {
	f.Add("shop-1-4-2", "smoke", int32(1), int32(50))
	f.Add(strings.Repeat("a", 40), strings.Repeat("b", 40), int32(math.MaxInt32), int32(100))
	f.Fuzz(func(t *testing.T, release, test string, attempt, weight int32) {
		if len(validation.IsDNS1035Label(release)) > 0 || len(validation.IsDNS1035Label(test)) > 0 || attempt < 1 || weight < 0 {
			t.Skip()
		}
		name := JobName(release, test, attempt, &weight)
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	})
}
