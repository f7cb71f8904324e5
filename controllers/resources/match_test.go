package resources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/rollout"
)

// liveChildren are the children of testdata/release.yaml as kube-apiserver 1.37.2
// answered to their creation, by kind and name.
func liveChildren(t *testing.T) map[string]metav1.Object {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "live.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	live := map[string]metav1.Object{}
	for _, document := range strings.Split(string(data), "---\n")[1:] {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		var object metav1.Object
		switch kind.Kind {
		case "Service":
			object = &corev1.Service{}
		case "Deployment":
			object = &appsv1.Deployment{}
		case "Job":
			object = &batchv1.Job{}
		}
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Fatal(err)
		}
		live[kind.Kind+" "+object.GetName()] = object
	}
	return live
}

// sealedChildren are the same objects as the seal makes them, of another size.
func sealedChildren(t *testing.T) map[string]metav1.Object {
	t.Helper()
	seal := shopSeal(t)
	sealed := map[string]metav1.Object{}
	for _, component := range seal.Components {
		if service, err := seal.Service(component.Name); err != nil {
			t.Fatal(err)
		} else if service != nil {
			sealed["Service "+service.Name] = service
		}
		deployment, err := seal.Deployment(component.Name, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		sealed["Deployment "+deployment.Name] = deployment
	}
	for test, at := range map[string]*int32{"smoke": nil, "error-rate": ptr.To[int32](50)} {
		job, err := seal.Job(test, map[string]int32{"smoke": 1, "error-rate": 2}[test], at, 1)
		if err != nil {
			t.Fatal(err)
		}
		sealed["Job "+job.Name] = job
	}
	return sealed
}

func TestWhatTheServerStoredIsAsSealed(t *testing.T) {
	live, sealed := liveChildren(t), sealedChildren(t)
	if len(live) != 7 || len(sealed) != 7 {
		t.Fatalf("%d live and %d sealed children, want 7", len(live), len(sealed))
	}
	for name, child := range sealed {
		for _, strictness := range []Strictness{AsSealed, WithDefaults} {
			if why := Difference(child, live[name], strictness); why != "" {
				t.Errorf("%s, strictness %d: %s", name, strictness, why)
			}
		}
		owner := shop(t).UID
		if claim := ClaimOf(child, live[name], owner); claim != (Claim{Presence: rollout.Ours}) {
			t.Errorf("%s owned: %+v", name, claim)
		}
		live[name].SetOwnerReferences(nil)
		if claim := ClaimOf(child, live[name], owner); claim != (Claim{Presence: rollout.Ours, Adopt: true}) {
			t.Errorf("%s without owner: %+v", name, claim)
		}
	}
}

// TestForeignChildren changes one thing of a live child without owner at a time:
// each makes it somebody else's.
func TestForeignChildren(t *testing.T) {
	container := func(d *appsv1.Deployment) *corev1.Container { return &d.Spec.Template.Spec.Containers[0] }
	tests := []struct {
		name   string
		change func(*appsv1.Deployment)
		want   string
	}{
		{"image", func(d *appsv1.Deployment) { container(d).Image = "registry.example.com/other" }, "spec.template.spec.containers[0].image is registry.example.com/other"},
		{"one more container", func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "sidecar"})
		}, "spec.template.spec.containers has 2 entries, sealed 1"},
		{"order of env", func(d *appsv1.Deployment) {
			env := container(d).Env
			env[0], env[1] = env[1], env[0]
		}, "spec.template.spec.containers[0].env[0].name"},
		{"a field not sealed", func(d *appsv1.Deployment) { d.Spec.Template.Spec.HostNetwork = true }, "spec.template.spec.hostNetwork"},
		{"a pointer not sealed", func(d *appsv1.Deployment) { d.Spec.Template.Spec.HostUsers = ptr.To(false) }, "spec.template.spec.hostUsers is false, and is not in the seal"},
		{"an object not sealed", func(d *appsv1.Deployment) {
			container(d).SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		}, "spec.template.spec.containers[0].securityContext.privileged"},
		{"another default", func(d *appsv1.Deployment) { d.Spec.Template.Spec.DNSPolicy = corev1.DNSNone }, "spec.template.spec.dnsPolicy"},
		{"another alias", func(d *appsv1.Deployment) { d.Spec.Template.Spec.DeprecatedServiceAccount = "admin" }, "spec.template.spec.serviceAccount "},
		{"a host port", func(d *appsv1.Deployment) { container(d).Ports[0].HostPort = 80 }, "hostPort"},
		{"a quantity", func(d *appsv1.Deployment) {
			container(d).Resources.Requests["cpu"] = resource.MustParse("2")
		}, "resources.requests[cpu] is 2, sealed 500m"},
		{"a quantity missing", func(d *appsv1.Deployment) { delete(container(d).Resources.Requests, "cpu") }, "resources.requests[cpu] is missing"},
		{"a limit not sealed", func(d *appsv1.Deployment) {
			container(d).Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
		}, "resources.limits[cpu] is not in the seal"},
		{"a label not sealed", func(d *appsv1.Deployment) { d.Spec.Template.Labels["x"] = "y" }, "spec.template.metadata.labels[x] is not in the seal"},
		{"a pointer gone", func(d *appsv1.Deployment) { d.Spec.Template.Spec.EnableServiceLinks = nil }, "enableServiceLinks is missing"},
		{"int or string", func(d *appsv1.Deployment) {
			d.Spec.Strategy.RollingUpdate.MaxSurge = ptr.To(intstr.FromInt32(25))
		}, "spec.strategy.rollingUpdate.maxSurge"},
		{"our label", func(d *appsv1.Deployment) { d.Labels["strata.dev/track"] = "cart" }, `metadata.labels[strata.dev/track] is "cart", sealed "shop"`},
	}
	const name = "Deployment shop-1-4-2-web"
	child := sealedChildren(t)[name]
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			live := liveChildren(t)[name].(*appsv1.Deployment)
			live.OwnerReferences = nil
			test.change(live)
			claim := ClaimOf(child, live, shop(t).UID)
			if claim.Presence != rollout.Foreign || !strings.Contains(claim.Why, test.want) {
				t.Errorf("%+v, want Foreign with %q", claim, test.want)
			}
		})
	}
}

func TestClaimByOwner(t *testing.T) {
	const name = "Job shop-1-4-2-smoke-1"
	child, owner := sealedChildren(t)[name], shop(t).UID
	tests := []struct {
		name   string
		change func(*batchv1.Job)
		want   string
	}{
		{"another release of that name", func(j *batchv1.Job) { j.OwnerReferences[0].UID = "other" }, "owned by ImmutableRelease shop-1-4-2"},
		{"another name", func(j *batchv1.Job) { j.Name = "forged" }, "called forged, and not shop-1-4-2-smoke-1"},
		{"another controller", func(j *batchv1.Job) {
			j.OwnerReferences = []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly", UID: "c", Controller: ptr.To(true)}}
		}, "owned by CronJob nightly"},
		{"an owner that does not control", func(j *batchv1.Job) { j.OwnerReferences[0].Controller = nil }, "owned by ImmutableRelease"},
		{"another command", func(j *batchv1.Job) {
			j.Spec.Template.Spec.Containers[0].Command = []string{"true"}
		}, "spec.template.spec.containers[0].command has 1 entries, sealed 0"},
		{"a default of tomorrow", func(j *batchv1.Job) { j.Spec.MaxFailedIndexes = ptr.To[int32](1) }, ""},
		{"a label of tomorrow", func(j *batchv1.Job) { j.Spec.Template.Labels["x"] = "y" }, ""},
		{"another image", func(j *batchv1.Job) {
			j.Spec.Template.Spec.Containers[0].Image = "true"
		}, "not as sealed: spec.template.spec.containers[0].image"},
		{"another backoffLimit", func(j *batchv1.Job) { j.Spec.BackoffLimit = ptr.To[int32](9) }, "spec.backoffLimit is 9, sealed 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			live := liveChildren(t)[name].(*batchv1.Job)
			test.change(live)
			claim := ClaimOf(child, live, owner)
			if test.want == "" {
				// What a newer API server adds by itself must not make it foreign.
				if claim.Presence != rollout.Ours {
					t.Errorf("%+v, want Ours", claim)
				}
				return
			}
			if claim.Presence != rollout.Foreign || !strings.Contains(claim.Why, test.want) {
				t.Errorf("%+v, want Foreign with %q", claim, test.want)
			}
		})
	}
}

func TestClaimOnNothingAndOnAnotherKind(t *testing.T) {
	if claim := ClaimOf(&appsv1.Deployment{}, (*appsv1.Deployment)(nil), "x"); claim.Presence != rollout.Missing {
		t.Errorf("claim on nothing: %+v", claim)
	}
	if claim := ClaimOf(&appsv1.Deployment{}, nil, "x"); claim.Presence != rollout.Missing {
		t.Errorf("claim on nothing: %+v", claim)
	}
	if why := Difference(&appsv1.Deployment{}, &corev1.Service{}, AsSealed); why != "it is a Service, sealed is a Deployment" {
		t.Errorf("two kinds: %q", why)
	}
}
