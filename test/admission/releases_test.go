package admission

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

const manifestOfRelease = `apiVersion: strata.dev/v1alpha1
kind: ImmutableRelease
metadata: {name: shop-1-4-2}
spec:
  trackName: shop
  version: 1.4.2
  components:
  - name: web
    replicas: 2
    ports: [{name: http, port: 80, targetPort: 8080}]
    template:
      spec:
        initContainers:
        - {name: migrate, image: IMAGE}
        - {name: warm, image: IMAGE}
        containers:
        - name: app
          image: IMAGE
          env: [{name: A, value: "1"}, {name: B, value: $(A)}]
          resources: {requests: {cpu: "0.5"}}
`

func releaseManifest(changes ...string) string {
	text := strings.NewReplacer(changes...).Replace(manifestOfRelease)
	return writeFile("release.yaml", []byte(strings.ReplaceAll(text, "IMAGE", image)))
}

var _ = Describe("A release", func() {
	var namespace string
	BeforeEach(func() { namespace = newNamespace() })

	run := func(args ...string) (string, error) {
		return kubectl(nil, append([]string{"-n", namespace}, args...)...)
	}

	It("answers a change of its spec with the difference and the name of the next release", func() {
		output, err := run("apply", "-f", releaseManifest())
		Expect(err).NotTo(HaveOccurred(), output)
		for _, change := range []struct{ from, to, says, next string }{
			{`cpu: "0.5"`, `cpu: 500m`, `spec.components[web].template.spec.containers[app].resources.requests.cpu: "0.5" -> "500m"`, "shop-1-4-3"},
			{"version: 1.4.2", "version: 1.5.0-rc.1", `spec.version: "1.4.2" -> "1.5.0-rc.1"`, "shop-1-5-0-rc-1"},
			{"replicas: 2", "replicas: 3", `spec.components[web].replicas: 2 -> 3`, "shop-1-4-3"},
			{"{name: A, value: \"1\"}, {name: B, value: $(A)}", "{name: B, value: $(A)}, {name: A, value: \"1\"}",
				"order of spec.components[web].template.spec.containers[app].env: A, B -> B, A", "shop-1-4-3"},
			{"ports: [{name: http, port: 80, targetPort: 8080}]", "", `spec.components[web].ports: [{"name":"http","port":80,"targetPort":8080}] -> (nothing)`, "shop-1-4-3"},
		} {
			for _, way := range [][]string{{"apply"}, {"apply", "--server-side", "--force-conflicts"}, {"replace"}} {
				output, err := run(append(way, "-f", releaseManifest(change.from, change.to))...)
				Expect(err).To(HaveOccurred(), "%v %s", way, change.to)
				Expect(output).To(And(ContainSubstring("publish a new ImmutableRelease, for example "+change.next+"."), ContainSubstring(change.says)))
			}
		}
	})

	It("is edited by nobody", func() {
		_, err := run("apply", "-f", releaseManifest())
		Expect(err).NotTo(HaveOccurred())
		editor := filepath.Join(GinkgoT().TempDir(), "editor")
		script := "#!/bin/sh\nsed -i 's/replicas: 2/replicas: 4/' \"$1\"\n"
		Expect(os.WriteFile(editor, []byte(script), 0o700)).To(Succeed())
		output, err := kubectl([]string{"EDITOR=" + editor, "KUBE_EDITOR=" + editor}, "-n", namespace, "edit", "irel", "shop-1-4-2")
		Expect(err).To(HaveOccurred())
		Expect(output).To(And(ContainSubstring("STRATA-002: ImmutableRelease shop-1-4-2 (UPDATE immutablereleases): spec is immutable"), ContainSubstring("spec.components[web].replicas: 2 -> 4")))
	})

	It("takes the same manifest again, whatever the way and the order of ways", func() {
		path := releaseManifest()
		for _, way := range [][]string{{"apply"}, {"apply"}, {"apply", "--server-side", "--force-conflicts"}, {"apply", "--server-side"}, {"apply"}, {"replace"}, {"apply"}, {"diff"}} {
			output, err := run(append(way, "-f", path)...)
			Expect(err).NotTo(HaveOccurred(), "%v: %s", way, output)
		}
	})

	It("says who published it, for good", func() {
		publisher := newUser(namespace, "jo", "create", "get", "update", "patch")
		rel := newRelease(namespace, "shop-1", "shop", "1")
		rel.Annotations = map[string]string{"note": "hello"}
		Expect(publisher.Create(ctx, rel)).To(Succeed())
		Expect(rel.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, "jo"))

		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"strata.dev/requested-by":null,"note":"bye"}}}`))
		Expect(admin.Patch(ctx, rel, patch)).To(Succeed())
		Expect(rel.Annotations).To(And(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, "jo"), HaveKeyWithValue("note", "bye")))
	})

	It("leaves what is reserved to the operator", func() {
		rel := newRelease(namespace, "shop-1", "shop", "1")
		rel.Labels = map[string]string{"strata.dev/track": "other"}
		Expect(admin.Create(ctx, rel)).To(MatchError(ContainSubstring("STRATA-003")))
		rel.Labels = nil
		Expect(admin.Create(ctx, rel)).To(Succeed())
		Expect(operator.Patch(ctx, rel, mergePatch(`{"metadata":{"labels":{"strata.dev/held":"7"}}}`))).To(Succeed())
		Expect(admin.Patch(ctx, rel, mergePatch(`{"metadata":{"annotations":{"strata.dev/sequence":"7"}}}`))).To(MatchError(ContainSubstring("STRATA-004")))
		Expect(admin.Patch(ctx, rel, mergePatch(`{"metadata":{"labels":{"team":"payments"}}}`))).To(Succeed())
	})

	It("has a version with one content for ever", func() {
		Expect(admin.Create(ctx, newRelease(namespace, "shop-1", "shop", "1"))).To(Succeed())
		other := newRelease(namespace, "shop-1b", "shop", "1")
		other.Spec.Components[0].Template.Spec.Containers[0].Env = nil
		Eventually(func() error { return admin.Create(ctx, other.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(ContainSubstring("release shop-1 of track shop has this version with other content: give this release another version")))
		again := newRelease(namespace, "shop-1c", "shop", "1")
		again.Spec.Components[0].Replicas = 9 // capacity is not content
		Expect(admin.Create(ctx, again)).To(Succeed())
		other.Spec.TrackName = "basket"
		Expect(admin.Create(ctx, other)).To(Succeed())
	})

	It("is not published where the guards do not reach", func() {
		Expect(admin.Create(ctx, newRelease("kube-system", "shop-1", "shop", "1"))).To(MatchError(ContainSubstring("STRATA-001")))
		Expect(admin.Create(ctx, newTrack(guards.Namespace, "shop"))).To(MatchError(ContainSubstring("STRATA-001")))
	})

	It("is refused while the webhook is away, and kept as it is", Serial, func() {
		rel := newRelease(namespace, "shop-1", "shop", "1")
		Expect(admin.Create(ctx, rel)).To(Succeed())
		endWebhook()
		DeferCleanup(func() { startWebhook(); waitUntilGuarded() })
		Expect(admin.Create(ctx, newRelease(namespace, "shop-2", "shop", "2"))).To(MatchError(ContainSubstring("failed calling webhook")))
		rel.Spec.Version = "2"
		Expect(admin.Update(ctx, rel)).To(MatchError(ContainSubstring("spec is immutable: publish a new ImmutableRelease instead")))
		Expect(admin.Delete(ctx, rel)).To(Succeed())
	})
})

var _ = Describe("Where the policies have been taken away, the webhook", Serial, func() {
	It("still refuses what is the operator's, or not the requester's", func() {
		withoutPolicies(func() {
			namespace := newNamespace()
			record := newRecord(namespace, "shop", 1)
			Expect(admin.Create(ctx, record.DeepCopy())).To(MatchError(ContainSubstring("written by the operator alone")))
			Expect(operator.Create(ctx, record)).To(Succeed())
			Expect(admin.Patch(ctx, record.DeepCopy(), mergePatch(`{"metadata":{"labels":{"strata.dev/track":null}}}`))).To(MatchError(ContainSubstring("written by the operator alone")))

			track := newTrack(namespace, "shop")
			Expect(admin.Create(ctx, track)).To(Succeed())
			Expect(admin.Patch(ctx, track, mergePatch(`{"metadata":{"labels":{"strata.dev/held":"x"}}}`))).To(MatchError(ContainSubstring("metadata.labels[strata.dev/held]")))
			Expect(admin.Patch(ctx, track, mergePatch(`{"metadata":{"labels":{"team":"shop"}}}`))).To(Succeed())

			action := object(namespace, goodAction)
			Expect(unstructured.SetNestedField(action.Object, "jo", "spec", "requester")).To(Succeed())
			Expect(admin.Create(ctx, action)).To(MatchError(ContainSubstring("must be the user who creates the action: admin")))
		})
	})
})

var _ = Describe("A record", func() {
	It("is written by the operator alone, and goes with its namespace", func() {
		namespace := newNamespace()
		record := newRecord(namespace, "shop", 1)
		plain := record.DeepCopy()
		plain.Labels = nil
		Expect(newUser(namespace, "jo", "create", "get").Create(ctx, plain.DeepCopy())).To(MatchError(Or(ContainSubstring("STRATA-005"), ContainSubstring("cannot create resource"))))
		Expect(admin.Create(ctx, plain)).To(MatchError(And(ContainSubstring("come back as they were"), ContainSubstring("it was edited"))))
		Expect(operator.Create(ctx, record)).To(Succeed())

		Expect(admin.Patch(ctx, record.DeepCopy(), mergePatch(`{"spec":{"reason":"Other"}}`))).NotTo(Succeed())
		Expect(admin.Patch(ctx, record.DeepCopy(), mergePatch(`{"metadata":{"labels":{"strata.dev/track":null}}}`))).To(MatchError(ContainSubstring("STRATA-003")))
		Expect(admin.Delete(ctx, record.DeepCopy())).To(MatchError(And(ContainSubstring("STRATA-007"), ContainSubstring("track shop"))))
		Expect(admin.DeleteAllOf(ctx, &v1alpha1.ReleaseRecord{}, client.InNamespace(namespace))).To(MatchError(ContainSubstring("STRATA-007")))

		namespaces := controllerOf("namespace-controller")
		Expect(namespaces.DeleteAllOf(ctx, &v1alpha1.ReleaseRecord{}, client.InNamespace(namespace))).To(Succeed())
	})
})

func mergePatch(patch string) client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(patch))
}

func newRecord(namespace, track string, sequence int64) *v1alpha1.ReleaseRecord {
	return &v1alpha1.ReleaseRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: track + "-000001", Labels: map[string]string{v1alpha1.LabelTrack: track}},
		Spec: v1alpha1.ReleaseRecordSpec{
			TrackName: track, Sequence: sequence, Time: metav1.NowMicro(), Actor: guards.InCluster.Username,
			Event: v1alpha1.EventAdopted, Reason: "Test", Digest: "sha256:" + strings.Repeat("0", 64),
		},
	}
}

// newUser makes a user who may create and change our kinds in a namespace, and
// has further verbs on its tracks.
func newUser(namespace, name string, verbs ...string) client.Client {
	GinkgoHelper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"strata.dev"}, Resources: []string{"*"}, Verbs: verbs}},
	}
	Expect(admin.Create(ctx, role)).To(Succeed())
	user := bind(namespace, name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name})
	if len(verbs) > 0 && verbs[0] == "create" {
		// The authorizer learns of a role from a watch.
		Eventually(func() error {
			return user.Create(ctx, newRelease(namespace, "probe", "probe", "1"), client.DryRunAll)
		}).Should(Succeed())
	}
	return user
}
