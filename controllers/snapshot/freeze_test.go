package snapshot

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

var update = flag.Bool("update", false, "write the golden files anew")

func key() []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

func settings() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings", Namespace: "shop", Labels: map[string]string{"app": "shop"}},
		Data:       map[string]string{"theme": "dark\n", "greeting": "grüezi"},
		BinaryData: map[string][]byte{"logo": {0, 255, 16}},
	}
}

func keys() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "keys", Namespace: "shop"},
		Type:       corev1.SecretTypeOpaque,
		Data:       map[string][]byte{"token": []byte("s3cr3t")},
	}
}

func sources() Sources {
	return Sources{
		ConfigMaps: map[string]*corev1.ConfigMap{"settings": settings()},
		Secrets:    map[string]*corev1.Secret{"keys": keys()},
	}
}

// release reads a ConfigMap and a Secret, in a component and in a test.
func release() *v1alpha1.ImmutableRelease {
	web := corev1.Container{Name: "web",
		EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("settings")}}},
		Env: []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("keys"), Key: "token"}}}},
	}
	rel := &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-1-4-2", Namespace: "shop", UID: "0c7b6b54"},
		Spec: v1alpha1.ImmutableReleaseSpec{
			TrackName: "shop", ReleaseTemplate: v1alpha1.ReleaseTemplate{
				Version:    "1.4.2",
				Components: []v1alpha1.Component{{Name: "web"}},
				Tests:      []v1alpha1.ReleaseTest{{Name: "smoke"}},
			},
		},
	}
	rel.Spec.Components[0].Template.Spec.Containers = []corev1.Container{web}
	rel.Spec.Tests[0].Template.Spec.Template.Spec.Containers = []corev1.Container{web}
	return rel
}

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func TestFreeze(t *testing.T) {
	from := sources()
	frozen, err := Freeze(release(), from, key())
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(frozen)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "frozen.golden.yaml")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("frozen (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sources(), from); diff != "" {
		t.Errorf("the sources were changed:\n%s", diff)
	}
	frozen.Secrets[0].Data["token"] = nil
	frozen.ConfigMaps[0].Data["theme"] = ""
	if diff := cmp.Diff(sources(), from); diff != "" {
		t.Errorf("a copy shares its data with the source:\n%s", diff)
	}
}

// TestContentVectors holds digests that another program computed; see TestVectors.
func TestContentVectors(t *testing.T) {
	configMap, err := ConfigMapDigest(settings())
	if err != nil {
		t.Fatal(err)
	}
	secret, err := SecretDigest(keys(), key())
	if err != nil {
		t.Fatal(err)
	}
	if want := "sha256:779c055cc2701e14470f972b5b74ac38cc01b2130286718f7e74f8badc3a5bb6"; configMap != want {
		t.Errorf("ConfigMap: %s, want %s", configMap, want)
	}
	if want := "sha256:01598b51d94839046ec88e45b6ce40fd3ef903f394966c8ba7161ef06d3d0246"; secret != want {
		t.Errorf("Secret: %s, want %s", secret, want)
	}
}

func TestContentDigestsDiffer(t *testing.T) {
	seen := map[string]int{}
	for i, configMap := range []corev1.ConfigMap{
		{},
		{Data: map[string]string{"a": ""}},
		{Data: map[string]string{"a": "b"}},
		{Data: map[string]string{"b": "b"}},
		{Data: map[string]string{"a": "b", "b": ""}},
		{BinaryData: map[string][]byte{"a": []byte("b")}},
		{Data: map[string]string{"a": "\xff"}},
		{Data: map[string]string{"a": "\xfe"}},
		{Data: map[string]string{"a": "\ufffd"}},
	} {
		digest, err := ConfigMapDigest(&configMap)
		if other, taken := seen[digest]; err != nil || taken {
			t.Errorf("ConfigMap %d: %s, like %d (%v)", i, digest, other, err)
		}
		seen[digest] = i
	}
	another := key()
	another[0]++
	for i, secret := range []struct {
		secret corev1.Secret
		key    []byte
	}{
		{corev1.Secret{Data: map[string][]byte{"a": []byte("b")}}, key()},
		{corev1.Secret{Data: map[string][]byte{"a": []byte("b")}}, another},
		{corev1.Secret{Data: map[string][]byte{"a": []byte("b")}, Type: "Opaque"}, key()},
		{corev1.Secret{Data: map[string][]byte{"a": []byte("c")}}, key()},
	} {
		digest, err := SecretDigest(&secret.secret, secret.key)
		if other, taken := seen[digest]; err != nil || taken {
			t.Errorf("Secret %d: %s, like %d (%v)", i, digest, other, err)
		}
		seen[digest] = 100 + i
	}
}

// plainDigestOfKeys is what spec.config.expect has for Secret keys.
const plainDigestOfKeys = "2a66a9fdb00904f88f6a7e595864f567f3d17bba37417ef8381f22f1753fef3a"

func TestFreezeRefuses(t *testing.T) {
	certManager := metav1.OwnerReference{APIVersion: "cert-manager.io/v1", Kind: "Certificate", Name: "shop-tls"}
	secret := func(change func(*corev1.Secret)) func(*v1alpha1.ImmutableRelease, *Sources) {
		return func(_ *v1alpha1.ImmutableRelease, from *Sources) { change(from.Secrets["keys"]) }
	}
	owned := func(owner metav1.OwnerReference) func(*v1alpha1.ImmutableRelease, *Sources) {
		return secret(func(s *corev1.Secret) { s.OwnerReferences = []metav1.OwnerReference{owner} })
	}
	tests := []struct {
		name   string
		change func(*v1alpha1.ImmutableRelease, *Sources)
		reason string
		want   string
	}{
		{"nothing there", func(_ *v1alpha1.ImmutableRelease, from *Sources) { *from = Sources{} }, ReasonConfigMissing, "ConfigMap settings, Secret keys"},
		{"Secret missing", func(_ *v1alpha1.ImmutableRelease, from *Sources) { delete(from.Secrets, "keys") }, ReasonConfigMissing, "name Secret keys, which"},
		{"token", secret(func(s *corev1.Secret) { s.Type = corev1.SecretTypeServiceAccountToken }), ReasonTokenSecret, "serviceAccountToken volume"},
		{"token, declared frozen", func(rel *v1alpha1.ImmutableRelease, from *Sources) {
			from.Secrets["keys"].Type = corev1.SecretTypeServiceAccountToken
			rel.Spec.Config = &v1alpha1.ReleaseConfig{Frozen: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "keys"}}}
		}, ReasonTokenSecret, "Secret keys"},
		{"TLS", secret(func(s *corev1.Secret) { s.Type = corev1.SecretTypeTLS }), ReasonRotatingSecret, "its type is kubernetes.io/tls"},
		{"cert-manager", owned(certManager), ReasonRotatingSecret, "owned by Certificate shop-tls"},
		{"a group below one that rotates", owned(metav1.OwnerReference{APIVersion: "generators.external-secrets.io/v1", Kind: "Password"}), ReasonRotatingSecret, "Password"},
		{"any controller", owned(metav1.OwnerReference{APIVersion: "acid.zalan.do/v1", Kind: "postgresql", Name: "db", Controller: ptr.To(true)}), ReasonRotatingSecret, "postgresql db"},
		{"an annotation", secret(func(s *corev1.Secret) {
			s.Annotations = map[string]string{"cert-manager.io/certificate-name": "shop"}
		}), ReasonRotatingSecret, "annotation cert-manager.io/certificate-name"},
		{"a label", secret(func(s *corev1.Secret) {
			s.Labels = map[string]string{"secrets-store.csi.k8s.io/managed": "true"}
		}), ReasonRotatingSecret, "label secrets-store.csi.k8s.io/managed"},
		{"ConfigMap too large", func(_ *v1alpha1.ImmutableRelease, from *Sources) {
			from.ConfigMaps["settings"].BinaryData["logo"] = make([]byte, maxDataBytes)
		}, ReasonConfigTooLarge, "ConfigMap settings holds 1048588 bytes"},
		{"Secret too large", secret(func(s *corev1.Secret) { s.Data["token"] = make([]byte, maxDataBytes+1) }), ReasonConfigTooLarge, "Secret keys holds"},
		{"unexpected ConfigMap", expecting(v1alpha1.ConfigMapKind, "settings", strings.Repeat("0", 64)), ReasonConfigUnexpected,
			"ConfigMap settings has content 779c055cc2701e14470f972b5b74ac38cc01b2130286718f7e74f8badc3a5bb6, and spec.config.expect waits for 0000"},
		{"unexpected Secret", expecting(v1alpha1.SecretKind, "keys", strings.Repeat("0", 64)), ReasonConfigUnexpected, "Secret keys has another content, and spec.config.expect waits for 0000"},
		{"expected and not there", func(rel *v1alpha1.ImmutableRelease, from *Sources) {
			expecting(v1alpha1.ConfigMapKind, "settings", strings.Repeat("0", 64))(rel, from)
			delete(from.ConfigMaps, "settings")
		}, ReasonConfigMissing, "ConfigMap settings (with content 0000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rel, from := release(), sources()
			test.change(rel, &from)
			_, err := Freeze(rel, from, key())
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Reason != test.reason || !strings.Contains(refusal.Error(), test.want) {
				t.Fatalf("error %v, want reason %s with %q", err, test.reason, test.want)
			}
			if strings.Contains(refusal.Message, "s3cr3t") || strings.Contains(refusal.Message, plainDigestOfKeys) {
				t.Errorf("the message tells the secret: %s", refusal.Message)
			}
			want := &rollout.Obstacle{Gate: "Sealed", Reason: test.reason, Message: refusal.Message}
			if diff := cmp.Diff(want, refusal.Obstacle()); diff != "" {
				t.Errorf("obstacle (-want +got):\n%s", diff)
			}
		})
	}
}

func expecting(kind v1alpha1.ConfigKind, name, sum string) func(*v1alpha1.ImmutableRelease, *Sources) {
	return func(rel *v1alpha1.ImmutableRelease, _ *Sources) {
		rel.Spec.Config = &v1alpha1.ReleaseConfig{Expect: []v1alpha1.ConfigExpectation{
			{Kind: kind, Name: "another", SHA256: "1"}, {Kind: kind, Name: name, SHA256: sum}}}
	}
}

func TestFreezeAccepts(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.ImmutableRelease, *Sources)
	}{
		{"TLS, declared frozen", func(rel *v1alpha1.ImmutableRelease, from *Sources) {
			from.Secrets["keys"].Type = corev1.SecretTypeTLS
			rel.Spec.Config = &v1alpha1.ReleaseConfig{Frozen: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "keys"}}}
		}},
		{"SealedSecret", func(_ *v1alpha1.ImmutableRelease, from *Sources) {
			from.Secrets["keys"].OwnerReferences = []metav1.OwnerReference{{APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret", Controller: ptr.To(true)}}
		}},
		{"an owner that only collects it", func(_ *v1alpha1.ImmutableRelease, from *Sources) {
			from.Secrets["keys"].OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment"}}
		}},
		{"expected ConfigMap", expecting(v1alpha1.ConfigMapKind, "settings", "779c055cc2701e14470f972b5b74ac38cc01b2130286718f7e74f8badc3a5bb6")},
		{"expected Secret", expecting(v1alpha1.SecretKind, "keys", plainDigestOfKeys)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rel, from := release(), sources()
			test.change(rel, &from)
			frozen, err := Freeze(rel, from, key())
			if err != nil {
				t.Fatal(err)
			}
			if len(frozen.ConfigMaps) != 1 || len(frozen.Secrets) != 1 || len(frozen.Digests) != 2 {
				t.Errorf("%d ConfigMaps, %d Secrets, %d digests", len(frozen.ConfigMaps), len(frozen.Secrets), len(frozen.Digests))
			}
		})
	}
}

func TestFreezeNeedsAKey(t *testing.T) {
	var refusal *Refusal
	if _, err := Freeze(release(), sources(), []byte("short")); err == nil || errors.As(err, &refusal) {
		t.Errorf("error %v, want a plain one", err)
	}
}

func TestSameCopy(t *testing.T) {
	frozen, err := Freeze(release(), sources(), key())
	if err != nil {
		t.Fatal(err)
	}
	wantedMap, wantedSecret := &frozen.ConfigMaps[0], &frozen.Secrets[0]
	if !SameConfigMap(wantedMap, wantedMap.DeepCopy()) || !SameSecret(wantedSecret, wantedSecret.DeepCopy()) {
		t.Error("a copy is not the same as itself")
	}
	for name, change := range map[string]func(*corev1.ConfigMap){
		"mutable":    func(c *corev1.ConfigMap) { c.Immutable = nil },
		"data":       func(c *corev1.ConfigMap) { c.Data["theme"] = "light" },
		"binaryData": func(c *corev1.ConfigMap) { c.BinaryData["logo"][0]++ },
		"more data":  func(c *corev1.ConfigMap) { c.Data["x"] = "" },
	} {
		live := wantedMap.DeepCopy()
		change(live)
		if SameConfigMap(wantedMap, live) {
			t.Errorf("ConfigMap with another %s is the same", name)
		}
	}
	for name, change := range map[string]func(*corev1.Secret){
		"mutable": func(s *corev1.Secret) { s.Immutable = ptr.To(false) },
		"data":    func(s *corev1.Secret) { s.Data["token"] = nil },
		"type":    func(s *corev1.Secret) { s.Type = "other" },
	} {
		live := wantedSecret.DeepCopy()
		change(live)
		if SameSecret(wantedSecret, live) {
			t.Errorf("Secret with another %s is the same", name)
		}
	}
}
