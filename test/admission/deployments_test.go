package admission

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attempt is one way to change a Deployment by kubectl. NAME and NAMESPACE are
// replaced.
type attempt struct {
	what string
	args []string
}

// kubectlWays are the ways that people and their tools have.
func kubectlWays(deployment *appsv1.Deployment) []attempt {
	name := "deployment/" + deployment.Name
	other := "registry.example.com/shop/web@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	applied := manifest(deployment, other)
	return []attempt{
		{"set image", []string{"set", "image", name, "app=" + other}},
		{"set env", []string{"set", "env", name, "A=1"}},
		{"set resources", []string{"set", "resources", name, "--requests=cpu=1"}},
		{"set serviceaccount", []string{"set", "serviceaccount", name, "root"}},
		{"edit", []string{"edit", name}},
		{"scale", []string{"scale", name, "--replicas=7"}},
		{"scale to zero", []string{"scale", name, "--replicas=0"}},
		{"rollout restart", []string{"rollout", "restart", name}},
		{"rollout pause", []string{"rollout", "pause", name}},
		{"patch json", []string{"patch", name, "--type=json", "-p", `[{"op":"replace","path":"/spec/replicas","value":9}]`}},
		{"patch merge", []string{"patch", name, "--type=merge", "-p", `{"spec":{"minReadySeconds":5}}`}},
		{"patch strategic", []string{"patch", name, "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"` + other + `"}]}}}}`}},
		{"patch scale", []string{"patch", name, "--subresource=scale", "--type=merge", "-p", `{"spec":{"replicas":9}}`}},
		{"apply", []string{"apply", "-f", applied}},
		{"apply by force", []string{"apply", "--server-side", "--force-conflicts", "-f", applied}},
		{"replace", []string{"replace", "-f", applied}},
		{"label", []string{"label", name, "team=payments"}},
		{"label away", []string{"label", name, "strata.dev/release-"}},
		{"label over", []string{"label", "--overwrite", name, "strata.dev/release=other"}},
		{"annotate", []string{"annotate", name, "note=hello"}},
		{"owners away", []string{"patch", name, "--type=merge", "-p", `{"metadata":{"ownerReferences":null}}`}},
		{"finalizer", []string{"patch", name, "--type=merge", "-p", `{"metadata":{"finalizers":["example.com/stay"]}}`}},
		{"labels by status", []string{"patch", name, "--subresource=status", "--type=merge", "-p", `{"metadata":{"annotations":{"note":"hello"}}}`}},
		{"status", []string{"patch", name, "--subresource=status", "--type=merge", "-p", `{"status":{"replicas":9}}`}},
	}
}

func manifest(deployment *appsv1.Deployment, image string) string {
	changed := deployment.DeepCopy()
	changed.SetManagedFields(nil)
	changed.SetResourceVersion("")
	changed.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	changed.Spec.Template.Spec.Containers[0].Image = image
	return writeFile("deployment.json", toJSON(changed))
}

// editor writes a program that stands for the user's editor.
func editor() string {
	path := filepath.Join(GinkgoT().TempDir(), "editor")
	Expect(os.WriteFile(path, []byte("#!/bin/sh\nsed -i 's/replicas: 3/replicas: 4/' \"$1\"\n"), 0o700)).To(Succeed())
	return path
}

var _ = Describe("A Deployment of a release", func() {
	var deployment *appsv1.Deployment
	BeforeEach(func() {
		deployment = versioned(newNamespace(), "shop-1-4-2", "web")
		Expect(operator.Create(ctx, deployment)).To(Succeed())
	})

	refusesAll := func(but ...string) {
		deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
		run := []string{"EDITOR=" + editor(), "KUBE_EDITOR=" + editor()}
		for _, attempt := range kubectlWays(deployment) {
			if slices.Contains(but, attempt.what) {
				continue
			}
			output, err := kubectl(run, append([]string{"-n", deployment.Namespace}, attempt.args...)...)
			Expect(err).To(HaveOccurred(), "%s: %s", attempt.what, output)
			Expect(output).To(And(ContainSubstring("release shop-1-4-2"), Or(ContainSubstring("new ImmutableRelease"), ContainSubstring("STRATA-013"), ContainSubstring("STRATA-040"))),
				"%s", attempt.what)
			after := &appsv1.Deployment{}
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), after)).To(Succeed())
			Expect(after.ResourceVersion).To(Equal(deployment.ResourceVersion), "%s changed it", attempt.what)
		}
	}

	It("is not changed in place by a cluster administrator, whatever the way", func() { refusesAll() })

	It("is not changed in place either while the webhook is away", Serial, func() {
		endWebhook()
		DeferCleanup(func() { startWebhook(); waitUntilGuarded() })
		refusesAll()
	})

	It("is not changed in place by the webhook's word alone", Serial, func() {
		withoutPolicies(func() { refusesAll("labels by status", "status") })
	})

	It("takes a request that changes nothing", func() {
		output, err := kubectl(nil, "-n", deployment.Namespace, "label", "--overwrite", "deployment/"+deployment.Name, "strata.dev/release=shop-1-4-2")
		Expect(err).NotTo(HaveOccurred(), output)
		output, err = kubectl(nil, "-n", deployment.Namespace, "scale", "deployment/"+deployment.Name, "--replicas=3")
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		Expect(admin.Update(ctx, deployment)).To(Succeed())
	})

	It("is changed by the operator, and by nobody who only has its name", func() {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":5}}`))
		Expect(operator.Patch(ctx, deployment.DeepCopy(), patch)).To(Succeed())

		user := operatorUser()
		user.Extra, user.Groups = nil, append(user.Groups, "system:masters")
		Expect(as(user).Patch(ctx, deployment.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":6}}`)))).
			To(MatchError(ContainSubstring("STRATA-010")))
	})

	It("is looked after by the controllers of Kubernetes", func() {
		deployments := controllerOf("deployment-controller")
		Expect(deployments.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		deployment.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
		deployment.Status.Replicas = 3
		Expect(deployments.Status().Update(ctx, deployment)).To(Succeed())
		metav1.SetMetaDataAnnotation(&deployment.ObjectMeta, "deployment.kubernetes.io/revision", "2")
		Expect(deployments.Update(ctx, deployment)).To(Succeed())

		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 6}}
		Expect(controllerOf("horizontal-pod-autoscaler").SubResource("scale").Update(ctx, deployment, client.WithSubResourceBody(scale))).To(Succeed())

		Expect(controllerOf("generic-garbage-collector").Patch(ctx, deployment,
			client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"ownerReferences":null}}`)))).To(Succeed())
	})

	It("guards no other Deployment", func() {
		other := versioned(deployment.Namespace, "plain", "web")
		other.Labels, other.OwnerReferences = nil, nil
		other.Spec.Selector.MatchLabels = map[string]string{"app": "plain"}
		other.Spec.Template.Labels = other.Spec.Selector.MatchLabels
		Expect(admin.Create(ctx, other)).To(Succeed())
		for _, args := range [][]string{{"scale", "--replicas=2"}, {"label", "a=b"}, {"rollout", "restart"}, {"set", "image", "app=" + image}} {
			verb, rest := args[:len(args)-1], args[len(args)-1:]
			if args[0] == "rollout" {
				verb, rest = args, nil
			}
			full := append(append(append([]string{"-n", other.Namespace}, verb...), "deployment/"+other.Name), rest...)
			output, err := kubectl(nil, full...)
			Expect(err).NotTo(HaveOccurred(), fmt.Sprint(full, output))
		}
	})
})
