package stories

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/snapshot"
	"github.com/strata-release/strata/test/harness"
)

func (w *world) configMap(name, greeting string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Data: map[string]string{"greeting": greeting}}
}

func (w *world) secret(name, word string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Data: map[string][]byte{"word": []byte(word)}}
}

// readsSecret reads a Secret whole, by envFrom.
func readsSecret(name string) harness.ReleaseOption {
	return harness.Container(func(c *corev1.Container) {
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	})
}

// mountsSecret mounts one as a volume.
func mountsSecret(name string) harness.ReleaseOption {
	return harness.Pod(func(p *corev1.PodSpec) {
		p.Volumes = append(p.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}})
		p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
	})
}

func config(config v1alpha1.ReleaseConfig) harness.ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) { r.Spec.Config = &config }
}

// copies of a version: its ConfigMaps and Secrets by label.
func (w *world) copies(ctx context.Context, version string) ([]corev1.ConfigMap, []corev1.Secret) {
	GinkgoHelper()
	configMaps, secrets := &corev1.ConfigMapList{}, &corev1.SecretList{}
	for _, list := range []client.ObjectList{configMaps, secrets} {
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRelease: harness.ReleaseName(version)})).To(Succeed())
	}
	return configMaps.Items, secrets.Items
}

var _ = story("configuration is frozen: copies that cannot change, and pods that read them; what is dynamic stays live", func(ctx context.Context, w *world) {
	w.create(ctx, w.configMap("settings", "hello"), w.secret("password", "open sesame"), w.secret("flags", "on"))
	w.goLive(ctx, w.track(), w.release("1.0.0",
		harness.Greeting(v1alpha1.ConfigMapKind, "settings"), readsSecret("password"), mountsSecret("flags"),
		config(v1alpha1.ReleaseConfig{Dynamic: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "flags"}}})))

	configMaps, secrets := w.copies(ctx, "1.0.0")
	Expect(configMaps).To(HaveLen(1))
	Expect(secrets).To(HaveLen(1), "the dynamic Secret is not copied")
	Expect(configMaps[0].Data).To(Equal(map[string]string{"greeting": "hello"}))
	Expect(secrets[0].Data).To(HaveKeyWithValue("word", []byte("open sesame")))
	Expect(configMaps[0].Immutable).To(HaveValue(BeTrue()))
	Expect(secrets[0].Immutable).To(HaveValue(BeTrue()))

	By("the pods read the copies, and the live object of what is dynamic")
	pod := w.deployments(ctx, "1.0.0")[0].Spec.Template.Spec
	env := pod.Containers[0].Env
	Expect(env[len(env)-1].ValueFrom.ConfigMapKeyRef.Name).To(Equal(configMaps[0].Name))
	Expect(pod.Containers[0].EnvFrom[0].SecretRef.Name).To(Equal(secrets[0].Name))
	Expect(pod.Volumes[0].Secret.SecretName).To(Equal("flags"))

	By("the live ones change and go: nothing happens")
	before := w.deployments(ctx, "1.0.0")[0]
	w.patch(ctx, w.configMap("settings", ""), `{"data":{"greeting":"changed"}}`)
	Expect(w.Client.Delete(ctx, w.secret("password", ""))).To(Succeed())
	w.restartOperator()
	Consistently(ctx, func(g Gomega) {
		nowConfigMaps, nowSecrets := w.copies(ctx, "1.0.0")
		g.Expect(nowConfigMaps).To(Equal(configMaps))
		g.Expect(nowSecrets).To(Equal(secrets))
		g.Expect(w.deployments(ctx, "1.0.0")[0].ResourceVersion).To(Equal(before.ResourceVersion))
	}).WithTimeout(time.Second).Should(Succeed())
	w.untilSettled(ctx, "1.0.0")

	By("the next release freezes what is there then")
	w.create(ctx, w.release("2.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings")))
	w.untilSettled(ctx, "2.0.0")
	next, _ := w.copies(ctx, "2.0.0")
	Expect(next[0].Data).To(Equal(map[string]string{"greeting": "changed"}))
})

var _ = story("a Secret that something rotates is refused until the release says frozen or dynamic", func(ctx context.Context, w *world) {
	tls := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-tls"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte("cert"), corev1.TLSPrivateKeyKey: []byte("key")},
	}
	w.create(ctx, tls, w.track(), w.release("1.0.0", mountsSecret("shop-tls")))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False RotatingSecret"), ContainSubstring("shop-tls"), ContainSubstring("frozen"), ContainSubstring("dynamic")))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, HavePrefix("RolloutBlocked=True RotatingSecret"))

	w.create(ctx, w.release("1.0.1", mountsSecret("shop-tls"),
		config(v1alpha1.ReleaseConfig{Frozen: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "shop-tls"}}})))
	w.untilSettled(ctx, "1.0.1")
	w.untilVerdict(ctx, "1.0.0", 1, v1alpha1.EventSuperseded)
	_, secrets := w.copies(ctx, "1.0.1")
	Expect(secrets).To(HaveLen(1))
	Expect(secrets[0].Type).To(Equal(corev1.SecretTypeTLS))
})

var _ = story("a release waits for the content that it expects, and freezes that", func(ctx context.Context, w *world) {
	expected, err := snapshot.ConfigMapDigest(w.configMap("settings", "bonjour"))
	Expect(err).NotTo(HaveOccurred())
	sum := strings.TrimPrefix(expected, "sha256:")
	w.create(ctx, w.configMap("settings", "hello"), w.track())
	w.create(ctx, w.release("1.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings"),
		config(v1alpha1.ReleaseConfig{Expect: []v1alpha1.ConfigExpectation{{Kind: v1alpha1.ConfigMapKind, Name: "settings", SHA256: sum}}})))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False ConfigUnexpected"), ContainSubstring("waits for "+sum)))
	configMaps, _ := w.copies(ctx, "1.0.0")
	Expect(configMaps).To(BeEmpty())

	w.patch(ctx, w.configMap("settings", ""), `{"data":{"greeting":"bonjour"}}`)
	w.untilSettled(ctx, "1.0.0")
	configMaps, _ = w.copies(ctx, "1.0.0")
	Expect(configMaps).To(HaveLen(1))
	Expect(configMaps[0].Data).To(Equal(map[string]string{"greeting": "bonjour"}))
})
