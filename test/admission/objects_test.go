package admission

import (
	"strings"

	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

var image = "registry.example.com/shop/web@sha256:" + strings.Repeat("a", 64)

// as makes a client of another user.
func as(user rest.ImpersonationConfig) client.Client {
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate = user
	c, err := client.New(impersonating, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func operatorUser() rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: guards.InCluster.Username,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + guards.Namespace, "system:authenticated"},
		Extra: map[string][]string{
			"authentication.kubernetes.io/pod-name":  {"strata-manager-0"},
			"authentication.kubernetes.io/pod-uid":   {"7c0d7d2b"},
			"authentication.kubernetes.io/node-name": {"local"},
		},
	}
}

func operatorConfig() *rest.Config {
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate = operatorUser()
	return impersonating
}

// ctrlOptions lets one process run the same controllers again.
func ctrlOptions() controllerconfig.Controller {
	skip := true
	return controllerconfig.Controller{SkipNameValidation: &skip}
}

func newNamespace() string {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

func newTrack(namespace, name string) *v1alpha1.ReleaseTrack {
	return &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func newRelease(namespace, name, track, version string) *v1alpha1.ImmutableRelease {
	return &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ImmutableReleaseSpec{
			TrackName: track, ReleaseTemplate: v1alpha1.ReleaseTemplate{
				Version: version,
				Components: []v1alpha1.Component{{
					Name: "web", Replicas: 2,
					Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}},
					Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
						InitContainers: []corev1.Container{{Name: "migrate", Image: image}, {Name: "warm", Image: image}},
						Containers: []corev1.Container{{
							Name: "app", Image: image,
							Env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)"}},
						}},
					}},
				}},
			},
		},
	}
}

// versioned is the Deployment of a release's component, as the operator makes it.
func versioned(namespace, release, component string) *appsv1.Deployment {
	labels := map[string]string{v1alpha1.LabelRelease: release, v1alpha1.LabelComponent: component}
	replicas := int32(3)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: release + "-" + component, Labels: labels,
			OwnerReferences: ownedBy(release),
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
			},
		},
	}
}

// ownedBy is the owner of what a release has.
func ownedBy(release string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ImmutableRelease", Name: release, UID: "f0f1", Controller: &yes}}
}
