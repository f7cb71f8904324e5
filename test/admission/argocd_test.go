package admission

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// buttonsOf Argo CD are the objects that its actions create, as their own tests have them.
func buttonsOf(namespace string) []*unstructured.Unstructured {
	files, err := filepath.Glob(repository("config/argocd/strata.dev/*/actions/testdata/*.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(files).To(HaveLen(5))
	var actions []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		var created []struct {
			Object unstructured.Unstructured `json:"unstructuredObj"`
		}
		Expect(yaml.Unmarshal(content, &created)).To(Succeed(), file)
		Expect(created).To(HaveLen(1), file)
		created[0].Object.SetNamespace(namespace)
		actions = append(actions, &created[0].Object)
	}
	return actions
}

// The block of docs/gitops.md that has the role of Argo CD.
var roleOfArgoCD = regexp.MustCompile("(?s)```yaml\n(apiVersion: rbac[^`]*)```")

var _ = Describe("The buttons of Argo CD", func() {
	It("ask in its own name for what the role of its page lets it", func() {
		namespace := newNamespace()
		Expect(admin.Create(ctx, newTrack(namespace, "shop"))).To(Succeed())
		Expect(admin.Create(ctx, newRelease(namespace, "shop-1", "shop", "1"))).To(Succeed())
		Expect(admin.Create(ctx, newRelease(namespace, "shop-2", "shop", "2"))).To(Succeed())
		argoCD := as(rest.ImpersonationConfig{
			UserName: "system:serviceaccount:argocd:argocd-server",
			Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:argocd", "system:authenticated"},
		})
		for _, action := range buttonsOf(namespace) {
			Expect(argoCD.Create(ctx, action)).To(Satisfy(apierrors.IsForbidden))
		}

		page, err := os.ReadFile(repository("docs/gitops.md"))
		Expect(err).NotTo(HaveOccurred())
		role := roleOfArgoCD.FindSubmatch(page)
		Expect(role).To(HaveLen(2))
		file := writeFile("role.yaml", []byte(strings.ReplaceAll(string(role[1]), "namespace: shop}", "namespace: "+namespace+"}")))
		output, err := kubectl(nil, "apply", "-f", file)
		Expect(err).NotTo(HaveOccurred(), output)
		for _, action := range buttonsOf(namespace) {
			// The authorizer learns of a role from a watch.
			Eventually(func() error { return argoCD.Create(ctx, action.DeepCopy(), client.DryRunAll) }).Should(Succeed(), action.GetName())
			Expect(argoCD.Create(ctx, action.DeepCopy())).To(Succeed())
			Expect(argoCD.Create(ctx, action)).To(Satisfy(apierrors.IsAlreadyExists), "a second click")
		}

		another := buttonsOf(namespace)[0]
		another.SetName("another")
		Expect(unstructured.SetNestedField(another.Object, "jo", "spec", "requester")).To(Succeed())
		Expect(argoCD.Create(ctx, another)).To(MatchError(ContainSubstring("STRATA-008")))
	})
})
