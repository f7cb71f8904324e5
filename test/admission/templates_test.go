package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

const manifestOfTrack = `apiVersion: strata.dev/v1alpha1
kind: ReleaseTrack
metadata: {name: shop}
spec:
  releaseTemplate:
    version: 1.4.2
    components:
    - name: web
      replicas: 2
      template:
        spec:
          containers:
          - name: app
            image: IMAGE
            env: [{name: A, value: "1"}, {name: B, value: $(A)}]
            resources: {requests: {cpu: "0.5"}}
`

func trackManifest(changes ...string) string {
	text := strings.NewReplacer(changes...).Replace(manifestOfTrack)
	return writeFile("track.yaml", []byte(strings.ReplaceAll(text, "IMAGE", image)))
}

var _ = Describe("The template of a track", func() {
	var namespace string
	BeforeEach(func() { namespace = newNamespace() })

	run := func(args ...string) (string, error) {
		return kubectl(nil, append([]string{"-n", namespace}, args...)...)
	}
	withTemplate := func(name, version string) *v1alpha1.ReleaseTrack {
		track := newTrack(namespace, name)
		track.Spec.ReleaseTemplate = &newRelease(namespace, "", name, version).Spec.ReleaseTemplate
		return track
	}
	raise := func(by client.Client, track *v1alpha1.ReleaseTrack, version string) error {
		return by.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"releaseTemplate":{"version":"`+version+`"}}}`)))
	}

	It("answers other content of one version with the difference and the next version", func() {
		output, err := run("apply", "-f", trackManifest())
		Expect(err).NotTo(HaveOccurred(), output)
		for _, change := range []struct{ from, to, says string }{
			{`cpu: "0.5"`, `cpu: 500m`, `spec.releaseTemplate.components[web].template.spec.containers[app].resources.requests.cpu: "0.5" -> "500m"`},
			{"replicas: 2", "replicas: 3", `spec.releaseTemplate.components[web].replicas: 2 -> 3`},
			{"{name: A, value: \"1\"}, {name: B, value: $(A)}", "{name: B, value: $(A)}, {name: A, value: \"1\"}",
				"order of spec.releaseTemplate.components[web].template.spec.containers[app].env: A, B -> B, A"},
		} {
			for _, way := range [][]string{{"apply"}, {"apply", "--server-side", "--force-conflicts"}, {"replace"}} {
				output, err := run(append(way, "-f", trackManifest(change.from, change.to))...)
				Expect(err).To(HaveOccurred(), "%v %s", way, change.to)
				Expect(output).To(And(ContainSubstring("version 1.4.2 has one content for ever"), ContainSubstring("for example to 1.4.3"), ContainSubstring(change.says)))
			}
			output, err := run("apply", "-f", trackManifest(change.from, change.to, "1.4.2", "1.4.3"), "--dry-run=server")
			Expect(err).NotTo(HaveOccurred(), output)
		}
	})

	It("is taken again as it is, whatever the way and the order of ways", func() {
		path := trackManifest()
		for _, way := range [][]string{{"apply"}, {"apply"}, {"apply", "--server-side", "--force-conflicts"}, {"apply", "--server-side"}, {"apply"}, {"replace"}, {"apply"}, {"diff"}} {
			output, err := run(append(way, "-f", path)...)
			Expect(err).NotTo(HaveOccurred(), "%v: %s", way, output)
		}
	})

	It("is refused in other content by the schema and a policy alone, with the webhook's words or without", func() {
		track := withTemplate("shop", "1.4.2")
		Expect(admin.Create(ctx, track)).To(Succeed())
		Expect(admin.Patch(ctx, track, client.RawPatch("application/json-patch+json", []byte(`[{"op":"replace","path":"/spec/releaseTemplate/components/0/replicas","value":7}]`)))).
			To(MatchError(ContainSubstring("STRATA-047")))
	})

	It("names who changed it last, and nobody else", func() {
		jo, ann := newUser(namespace, "jo", "create", "get", "update", "patch"), newUser(namespace, "ann", "create", "get", "update", "patch")
		track := withTemplate("shop", "1")
		Expect(jo.Create(ctx, track)).To(Succeed())
		by := func(name string) {
			GinkgoHelper()
			Expect(track.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, name))
		}
		by("jo")
		Expect(ann.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"note":"hello"}},"spec":{"deletionPolicy":"Delete"}}`)))).To(Succeed())
		by("jo")
		Expect(raise(ann, track, "2")).To(Succeed())
		by("ann")
		Expect(admin.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"strata.dev/requested-by":null}}}`)))).To(Succeed())
		by("ann")
		Expect(jo.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"strata.dev/requested-by":"jo"}}}`)))).To(Succeed())
		by("ann")
		Expect(admin.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"releaseTemplate":null}}`)))).To(Succeed())
		by("ann")
	})

	It("is changed in nobody else's name where nothing is stamped", Serial, func() {
		jo, ann := newUser(namespace, "jo", "create", "get", "update", "patch"), newUser(namespace, "ann", "create", "get", "update", "patch")
		track := withTemplate("shop", "1")
		Expect(ann.Create(ctx, track)).To(Succeed())
		_, binding := guards.RequestedBy(guards.InCluster)
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		DeferCleanup(func() { install(guards.PoliciesFile); waitUntilGuarded() })
		change := func(by string) error {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"note":"x"`+by+`}},"spec":{"releaseTemplate":{"version":"2"}}}`))
			return jo.Patch(ctx, track.DeepCopy(), patch, client.DryRunAll)
		}
		Eventually(func() error { return change("") }).Should(MatchError(ContainSubstring("STRATA-046")))
		Expect(change(`,"strata.dev/requested-by":"jo"`)).To(Succeed())
	})

	It("comes back from a backup under the name of who brings it", func() {
		track := newTrack(namespace, "shop")
		track.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: "ann"}
		jo := newUser(namespace, "jo", "create", "get", "update", "patch")
		Expect(jo.Create(ctx, track)).To(Succeed())
		Expect(track.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, "jo"))
	})

	It("is changed by who may create releases, and by nobody else", func() {
		track := withTemplate("shop", "1")
		Expect(admin.Create(ctx, track)).To(Succeed())
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tracks"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"strata.dev"}, Resources: []string{"releasetracks"}, Verbs: []string{"create", "get", "update", "patch"}},
		}}
		Expect(admin.Create(ctx, role)).To(Succeed())
		editor := bind(namespace, "editor", rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tracks"})
		Eventually(func() error {
			return editor.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"deletionPolicy":"Delete"}}`)))
		}).Should(Succeed())
		lacks := MatchError(And(ContainSubstring("STRATA-045"), ContainSubstring("create"), ContainSubstring("immutablereleases.strata.dev"), ContainSubstring("editor")))
		Expect(raise(editor, track.DeepCopy(), "2")).To(lacks)
		Expect(editor.Create(ctx, withTemplate("basket", "1"))).To(lacks)
		Expect(editor.Create(ctx, newTrack(namespace, "basket"))).To(Succeed())
	})

	It("is held to all that a release is held to, at its own paths", func() {
		track := withTemplate("shop", "1.4.2")
		track.Spec.ReleaseTemplate.Components[0].Template.Spec.Containers[0].Image = "registry.example.com/shop/web:1"
		Expect(admin.Create(ctx, track)).To(MatchError(And(ContainSubstring("spec.releaseTemplate.components[0].template.spec.containers[0].image"), ContainSubstring("digest"))))
		track = withTemplate("shop", strings.Repeat("1", 36))
		Expect(admin.Create(ctx, track)).To(MatchError(And(ContainSubstring("spec.releaseTemplate.version: Invalid value"), ContainSubstring("has 41 characters, of 40 at most"))))
		track = withTemplate("shop", "1")
		track.Spec.ReleaseTemplate.Components[0].Template.Spec.Containers[0].Env[0].Name = v1alpha1.EnvVersion
		Expect(admin.Create(ctx, track)).To(MatchError(ContainSubstring("spec.releaseTemplate.components[0].template.spec.containers[0].env[0].name")))

		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+namespace+"}\nspec:\n  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+namespace+"}}\n  allowedRegistries: [registry.example.com]\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
		jo := newUser(namespace, "jo", "create", "get", "update", "patch")
		track = withTemplate("shop", "1")
		track.Spec.ReleaseTemplate.Components[0].Template.Spec.ServiceAccountName = "powerful"
		Eventually(func() error { return jo.Create(ctx, track, client.DryRunAll) }).Should(MatchError(SatisfyAll(
			ContainSubstring("spec.releaseTemplate.components[0].template.spec.serviceAccountName: Forbidden"),
			ContainSubstring(`user "jo" needs the verb "use" on serviceaccounts/powerful`))))
	})

	It("has a name that no other release has", func() {
		Expect(admin.Create(ctx, newRelease(namespace, "shop-1-4-2", "shop", "1.4.2"))).To(Succeed())
		Expect(admin.Create(ctx, newRelease(namespace, "shop-a-1", "shop", "a-1"))).To(Succeed())
		refused := func(track *v1alpha1.ReleaseTrack, says string) {
			GinkgoHelper()
			Expect(admin.Create(ctx, track)).To(MatchError(And(ContainSubstring("spec.releaseTemplate.version: Invalid value"), ContainSubstring(says))))
		}
		refused(withTemplate("shop", "1-4-2"), "its release would be shop-1-4-2, as that of version 1.4.2")
		refused(withTemplate("shop-a", "1"), "its release would be shop-a-1, which is a release of track shop")
		other := withTemplate("shop", "1.4.2")
		other.Spec.ReleaseTemplate.Components[0].Replicas = 5
		refused(other, "spec.releaseTemplate.components[web].replicas: 2 -> 5")

		track := withTemplate("shop", "1.4.2")
		Expect(admin.Create(ctx, track)).To(Succeed(), "it is what the release says")
		Expect(raise(admin, track, "1.5")).To(Succeed())
		Expect(raise(admin, track.DeepCopy(), "1-5")).To(MatchError(ContainSubstring("as that of version 1.5")))
	})

	It("gives its author to the release that the operator creates, and the operator alone can", func() {
		rel := newRelease(namespace, "shop-1", "shop", "1")
		rel.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: "jo"}
		forged := rel.DeepCopy()
		Expect(admin.Create(ctx, forged, client.DryRunAll)).To(Succeed())
		Expect(forged.Annotations).NotTo(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, "jo"))
		Expect(operator.Create(ctx, rel)).To(Succeed())
		Expect(rel.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, "jo"))
		unknown := newRelease(namespace, "shop-2", "shop", "2")
		Expect(operator.Create(ctx, unknown)).To(Succeed())
		Expect(unknown.Annotations).NotTo(HaveKey(v1alpha1.AnnotationRequestedBy))
	})
})
