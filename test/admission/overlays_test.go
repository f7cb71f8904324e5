package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/resources"
)

// rendered is what an overlay makes of the policies and the webhooks.
func rendered(overlay string) (policies []admissionv1.ValidatingAdmissionPolicy, webhooks []admissionv1.ValidatingWebhook, explaining []admissionv1.MutatingWebhook) {
	output, err := kubectl(nil, "kustomize", repository("config/overlays/"+overlay))
	Expect(err).NotTo(HaveOccurred(), output)
	Expect(output).NotTo(ContainSubstring("strata-identity"))
	for _, document := range strings.Split(output, "\n---\n") {
		switch {
		case strings.Contains(document, "kind: ValidatingAdmissionPolicy\n"):
			var policy admissionv1.ValidatingAdmissionPolicy
			Expect(yaml.UnmarshalStrict([]byte(document), &policy)).To(Succeed())
			policies = append(policies, policy)
		case strings.Contains(document, "kind: ValidatingWebhookConfiguration\n"):
			var config admissionv1.ValidatingWebhookConfiguration
			Expect(yaml.UnmarshalStrict([]byte(document), &config)).To(Succeed())
			webhooks = config.Webhooks
		case strings.Contains(document, "kind: MutatingWebhookConfiguration\n"):
			var config admissionv1.MutatingWebhookConfiguration
			Expect(yaml.UnmarshalStrict([]byte(document), &config)).To(Succeed())
			explaining = config.Webhooks
		}
	}
	Expect(policies).To(HaveLen(len(guards.Bindings())))
	Expect(webhooks).To(HaveLen(len(guards.Webhooks())))
	Expect(explaining).To(HaveLen(len(guards.Explaining)))
	return policies, webhooks, explaining
}

var _ = Describe("An overlay", func() {
	for _, overlay := range []string{"backup-tool", "out-of-cluster", "shared-controllers"} {
		It("says in what it differs: what it installs is what the operator keeps: "+overlay, func() {
			output, err := kubectl(nil, "kustomize", repository("config/overlays/"+overlay))
			Expect(err).NotTo(HaveOccurred(), output)
			var said corev1.ConfigMap
			made := map[string]client.Object{}
			decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
			for _, document := range strings.Split(output, "\n---\n") {
				object, _, err := decoder.Decode([]byte(document), nil, nil)
				Expect(err).NotTo(HaveOccurred(), document)
				if o, ok := object.(*corev1.ConfigMap); ok {
					said = *o
				}
				made[object.GetObjectKind().GroupVersionKind().Kind+" "+object.(client.Object).GetName()] = object.(client.Object)
			}
			Expect(said.Name).To(Equal(guards.InstallationName))
			Expect(said.Data).To(HaveLen(1))
			kept, err := guards.Installed(said.Data)
			Expect(err).NotTo(HaveOccurred())
			Expect(kept).To(HaveLen(2*len(guards.Bindings()) + 4))
			for _, guard := range kept {
				name := guard.GetObjectKind().GroupVersionKind().Kind + " " + guard.GetName()
				Expect(made).To(HaveKey(name))
				Expect(resources.Difference(guard, made[name], resources.AsSealed)).To(BeEmpty(), name)
			}
		})
	}

	It("names an operator outside of the cluster, everywhere", func() {
		outside := guards.Identity{Username: "strata-operator"}
		policies, webhooks, explaining := rendered("out-of-cluster")
		for _, policy := range policies {
			Expect(policy.Spec.Variables[0]).To(Equal(admissionv1.Variable{Name: "operator", Expression: outside.Expression()}), policy.Name)
		}
		for _, webhook := range webhooks {
			Expect(webhook.MatchConditions[0].Expression).To(Equal("!("+outside.Expression()+")"), webhook.Name)
		}
		for _, webhook := range explaining {
			Expect(webhook.MatchConditions[0].Expression).To(Equal("!("+outside.Expression()+")"), webhook.Name)
		}
	})

	It("names a backup tool, where it matters", func() {
		policies, _, _ := rendered("backup-tool")
		var restorers []admissionv1.Variable
		for _, policy := range policies {
			for _, variable := range policy.Spec.Variables {
				if variable.Name == "restorer" {
					Expect(policy.Name).To(Equal("strata-reserved"))
					restorers = append(restorers, variable)
				}
			}
		}
		Expect(restorers).To(ConsistOf(admissionv1.Variable{Name: "restorer", Expression: "request.userInfo.username == 'system:serviceaccount:velero:velero'"}))
	})

	It("names the one user of all controllers, everywhere", func() {
		policies, webhooks, explaining := rendered("shared-controllers")
		for _, policy := range policies {
			Expect(policy.Spec.Variables[0].Expression).To(Equal(guards.InCluster.Expression()), policy.Name)
			Expect(policy.Spec.Variables[1].Expression).To(ContainSubstring("'system:kube-controller-manager'"), policy.Name)
		}
		named := 0
		count := func(webhook string, conditions []admissionv1.MatchCondition) {
			for _, condition := range conditions {
				if condition.Name == "not-a-controller" {
					Expect(condition.Expression).To(ContainSubstring("'system:kube-controller-manager'"), webhook)
					named++
				}
			}
		}
		for _, webhook := range webhooks {
			count(webhook.Name, webhook.MatchConditions)
		}
		Expect(named).To(Equal(2))
		for _, webhook := range explaining {
			count(webhook.Name, webhook.MatchConditions)
		}
		Expect(named).To(Equal(8))
	})
})
