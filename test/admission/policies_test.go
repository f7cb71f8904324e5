package admission

import (
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// heard collects the warnings of a client.
type heard struct {
	mu    sync.Mutex
	texts []string
}

func (h *heard) HandleWarningHeader(_ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, text)
}

var _ = Describe("A release in a namespace with policies", func() {
	var namespace string
	BeforeEach(func() { namespace = newNamespace() })

	// demand makes a policy of that spec for the namespace, and waits until it is known.
	demand := func(name, spec string) {
		GinkgoHelper()
		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+namespace+"-"+name+"}\nspec:\n  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+namespace+"}}\n  "+spec+"\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
	}
	release := func() *v1alpha1.ImmutableRelease { return newRelease(namespace, "shop-1", "shop", "1") }
	dryRun := func(by client.Client, rel *v1alpha1.ImmutableRelease) error {
		return by.Create(ctx, rel, client.DryRunAll)
	}

	It("uses images of the registries alone that all of them allow", func() {
		Expect(dryRun(admin, release())).To(Succeed())
		demand("wide", "allowedRegistries: [registry.example.com]")
		demand("narrow", "allowedRegistries: [registry.example.com/shop/we, registry.example.com/basket]")
		Eventually(func() error { return dryRun(admin, release()) }).Should(MatchError(SatisfyAll(
			ContainSubstring("spec.components[0].template.spec.containers[0].image: Invalid value: \""+image+"\""),
			ContainSubstring("registry.example.com/basket, registry.example.com/shop/we"), ContainSubstring(namespace+"-narrow"))))
		demand("other", "allowedRegistries: [registry.example.com/basket/x]")
		Eventually(func() error { return dryRun(admin, release()) }).Should(MatchError(ContainSubstring("come from registry.example.com/basket/x here")))
	})

	It("is refused, or warned of, for state outside of it and for privileges", func() {
		demand("strict", "externalState: {hostPath: Deny, writableRootFilesystem: Warn}")
		demand("lax", "externalState: {hostPath: Allow}\n  privileges: {hostNamespaces: Deny}")
		rel := release()
		pod := &rel.Spec.Components[0].Template.Spec
		pod.Volumes = []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var"}}}}
		pod.HostPID = true
		Eventually(func() error { return dryRun(admin, rel) }).Should(MatchError(SatisfyAll(
			ContainSubstring("spec.components[0].template.spec.volumes[0].hostPath: Forbidden: ReleasePolicy "+namespace+"-strict denies this by externalState.hostPath"),
			ContainSubstring("use an emptyDir with a sizeLimit"), ContainSubstring("spec.components[0].template.spec.hostPID: Forbidden"))))

		listening, warnings := rest.CopyConfig(config), &heard{}
		listening.WarningHandler = warnings
		listener, err := client.New(listening, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		Expect(dryRun(listener, release())).To(Succeed())
		Expect(strings.Join(warnings.texts, "\n")).To(SatisfyAll(
			ContainSubstring("containers[0].securityContext.readOnlyRootFilesystem: ReleasePolicy "+namespace+"-strict warns"), ContainSubstring("set readOnlyRootFilesystem: true")))
	})

	It("runs as the ServiceAccounts alone that its author may use", func() {
		grant := func(name string, rules ...rbacv1.PolicyRule) {
			GinkgoHelper()
			Expect(admin.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Rules: rules})).To(Succeed())
			Expect(admin.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
				RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
				Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "jo"}}})).To(Succeed())
		}
		grant("author", rbacv1.PolicyRule{APIGroups: []string{"strata.dev"}, Resources: []string{"immutablereleases"}, Verbs: []string{"create"}})
		jo := as(rest.ImpersonationConfig{UserName: "jo", Groups: []string{"system:authenticated"}})
		powerful := release()
		powerful.Spec.Components[0].Template.Spec.ServiceAccountName = "powerful"
		Eventually(func() error { return dryRun(jo, powerful) }).Should(Succeed(), "no policy asks")

		demand("any", "maxAgeSeconds: 86400")
		Eventually(func() error { return dryRun(jo, powerful) }).Should(MatchError(SatisfyAll(
			ContainSubstring("spec.components[0].template.spec.serviceAccountName: Forbidden"),
			ContainSubstring(`user "jo" needs the verb "use" on serviceaccounts/powerful`))))
		Expect(dryRun(jo, release())).To(Succeed(), "everybody's")
		grant("user", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"powerful"}, Verbs: []string{"use"}})
		Eventually(func() error { return dryRun(jo, powerful) }).Should(Succeed())

		demand("listed", "allowedServiceAccountNames: [web]")
		Eventually(func() error { return dryRun(jo, powerful) }).Should(MatchError(ContainSubstring("releases run here as one of web")))
	})

	It("is judged by the labels that its namespace has now", func() {
		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+namespace+"-labelled}\nspec:\n  namespaceSelector: {matchLabels: {policies-of: "+namespace+"}}\n  allowedRegistries: [other.example.com]\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
		Expect(dryRun(admin, release())).To(Succeed())
		label := func(value string) {
			GinkgoHelper()
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"policies-of":`+value+`}}}`))
			Expect(admin.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, patch)).To(Succeed())
		}
		label(`"` + namespace + `"`)
		Eventually(func() error { return dryRun(admin, release()) }).Should(MatchError(ContainSubstring("come from other.example.com here")))
		label("null")
		Eventually(func() error { return dryRun(admin, release()) }).Should(Succeed())
	})

	It("is not judged again once it exists", func() {
		rel := release()
		Expect(admin.Create(ctx, rel)).To(Succeed())
		demand("later", "allowedRegistries: [other.example.com]")
		Eventually(func() error { return dryRun(admin, newRelease(namespace, "shop-2", "shop", "2")) }).Should(HaveOccurred())
		rel.Labels = map[string]string{"team": "shop"}
		Expect(admin.Update(ctx, rel)).To(Succeed())
	})
})
