package images

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/test/oci"
)

// place is a registry, a cluster and a checker that works.
type place struct {
	*oci.Server
	t       *testing.T
	wants   string // user:password, "" for nobody
	now     atomic.Int64
	cluster client.Client
	live    *reader
	checker *Checker
}

// reader reads the cluster, unless it is broken.
type reader struct {
	client.Reader
	broken atomic.Bool
}

func (r *reader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if r.broken.Load() {
		panic("broken")
	}
	return r.Reader.List(ctx, list, options...)
}

func newPlace(t *testing.T, objects ...client.Object) *place {
	t.Helper()
	p := &place{t: t, cluster: fake.NewClientBuilder().WithObjects(objects...).Build()}
	p.live = &reader{Reader: p.cluster}
	stored := oci.Registry()
	p.Server = oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if p.wants != "" && r.Method == http.MethodGet && user+":"+password != p.wants {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		stored.ServeHTTP(w, r)
	}))
	clock := func() time.Time { return time.Unix(p.now.Load(), 0) }
	p.now.Store(1e9)
	p.checker = NewChecker(Options{
		Registry: registry.NewClient(registry.Options{Transport: p.Transport(), Now: clock}),
		Live:     p.live, Namespace: "strata-system", Now: clock,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.checker.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// image pushes an image for a platform of Linux.
func (p *place) image(repository, architecture string) string {
	p.t.Helper()
	return p.Push(p.Repository(repository).Tag("1"), oci.Image(p.t, "linux", architecture)).Name()
}

// sign signs an image by a key.
func (p *place) sign(image string, key *ecdsa.PrivateKey) {
	p.t.Helper()
	digest, err := name.NewDigest(image)
	if err != nil {
		p.t.Fatal(err)
	}
	p.Sign(digest, key)
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key := oci.NewKey(t)
	return key, oci.PublicPEM(t, key)
}

// demand is a policy that lets the registry be asked, and demands a signature by a key.
func (p *place) demand(name string, mode v1alpha1.PolicyMode, public string) v1alpha1.ReleasePolicy {
	made := v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ReleasePolicySpec{
		NamespaceSelector: &metav1.LabelSelector{},
		RegistryAccess:    &v1alpha1.RegistryAccessPolicy{PrivateHosts: []v1alpha1.RegistryHost{v1alpha1.RegistryHost(p.Host)}},
	}}
	if public != "" {
		made.Spec.Signatures = &v1alpha1.SignaturePolicy{Enforcement: mode, Authorities: []v1alpha1.SignatureAuthority{
			{Name: name, Type: v1alpha1.SignatureKey, Key: &v1alpha1.KeyAuthority{PublicKey: public}},
		}}
	}
	return made
}

func question(t *testing.T, pods []corev1.PodSpec, policies ...v1alpha1.ReleasePolicy) Question {
	t.Helper()
	effective, err := policy.For(policies, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Track: types.NamespacedName{Namespace: "shop", Name: "shop"}, Release: "uid", Spec: &v1alpha1.ImmutableReleaseSpec{}, Policy: effective}
	for _, pod := range pods {
		q.Spec.Components = append(q.Spec.Components, v1alpha1.Component{Template: corev1.PodTemplateSpec{Spec: pod}})
	}
	return q
}

func podOf(images ...string) corev1.PodSpec {
	pod := corev1.PodSpec{}
	for _, image := range images {
		pod.Containers = append(pod.Containers, corev1.Container{Image: image})
	}
	return pod
}

// settle asks until there is an answer: the checker tells when.
func (p *place) settle(q Question) Answer {
	p.t.Helper()
	p.checker.Ask(q)
	told := <-p.checker.told
	if got := client.ObjectKeyFromObject(told.Object); got != q.Track {
		p.t.Errorf("%s is told, not %s", got, q.Track)
	}
	return p.checker.Ask(q)
}

func (p *place) want(answer Answer, outcome Outcome, reason, words string) {
	p.t.Helper()
	if answer.Outcome != outcome || answer.Reason != reason || !strings.Contains(answer.Message, words) {
		p.t.Errorf("got %+v, want outcome %d, reason %q, a message with %q", answer, outcome, reason, words)
	}
}

func TestSignedImagesPassWithEvidence(t *testing.T) {
	p := newPlace(t)
	key, public := newKey(t)
	web, api := p.image("shop/web", "amd64"), p.image("shop/api", "amd64")
	p.sign(web, key)
	p.sign(api, key)
	q := question(t, []corev1.PodSpec{podOf(web, api), podOf(api)}, p.demand("team", v1alpha1.PolicyDeny, public))
	if first := p.checker.Ask(q); first.Outcome != Pending {
		t.Errorf("got %+v before any check", first)
	}
	answer := p.settle(q)
	p.want(answer, Passed, "", "")
	if len(answer.Signatures) != 2 || len(answer.Signatures[web]) != 1 || answer.Signatures[web][0].Authority != "team" ||
		!strings.HasSuffix(web, answer.Signatures[web][0].Digest) {
		t.Errorf("got %+v", answer.Signatures)
	}
	// What passed is not asked for again at once.
	asked := p.Asked.Load()
	p.checker.Ask(q)
	if len(p.checker.queue) > 0 || p.Asked.Load() != asked {
		t.Error("it is checked again")
	}
}

func TestEveryPolicyHasToBeMet(t *testing.T) {
	p := newPlace(t)
	key, public := newKey(t)
	other, otherPublic := newKey(t)
	web := p.image("shop/web", "amd64")
	p.sign(web, key)
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("team", v1alpha1.PolicyDeny, public), p.demand("platform", v1alpha1.PolicyDeny, otherPublic))
	p.want(p.settle(q), Refused, "SignatureInvalid", "ReleasePolicy platform demands signatures")

	q = question(t, []corev1.PodSpec{podOf(web)}, p.demand("team", v1alpha1.PolicyDeny, public), p.demand("platform", v1alpha1.PolicyWarn, otherPublic))
	q.Release = "warned"
	answer := p.settle(q)
	p.want(answer, Passed, "", "")
	if len(answer.Warnings) != 1 || !strings.Contains(answer.Warnings[0], "ReleasePolicy platform warns") || len(answer.Signatures[web]) != 1 {
		t.Errorf("got %+v", answer)
	}

	api := p.image("shop/api", "amd64")
	p.sign(api, other)
	q = question(t, []corev1.PodSpec{podOf(web, api)}, p.demand("team", v1alpha1.PolicyDeny, public))
	q.Release = "another"
	p.want(p.settle(q), Refused, "SignatureInvalid", api)
}

func TestImageThatIsPushedLaterIsNoticed(t *testing.T) {
	p := newPlace(t)
	_, public := newKey(t)
	web := p.image("shop/web", "amd64")
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("team", v1alpha1.PolicyDeny, public))
	p.want(p.settle(q), Refused, "SignatureMissing", "sign it with cosign")
	key, public := newKey(t)
	p.sign(web, key)
	// Another policy is another question.
	changed := p.demand("team", v1alpha1.PolicyDeny, public)
	changed.Generation = 2
	q = question(t, q.podSpecs(), changed)
	p.want(p.settle(q), Refused, "SignatureMissing", "") // the registry was asked just now
	p.now.Add(int64(refusedFor / time.Second))
	if still := p.checker.Ask(q); still.Outcome != Refused {
		t.Errorf("the answer was forgotten before there is another: %+v", still)
	}
	<-p.checker.told
	p.want(p.checker.Ask(q), Passed, "", "")
}

func (q *Question) podSpecs() []corev1.PodSpec {
	var pods []corev1.PodSpec
	for _, c := range q.Spec.Components {
		pods = append(pods, c.Template.Spec)
	}
	return pods
}

func TestRegistryThatIsDownIsUnknownUntilItIsUp(t *testing.T) {
	p := newPlace(t)
	web := p.image("shop/web", "amd64")
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("platform", "", ""))
	p.Down.Store(true)
	p.want(p.settle(q), Unknown, "RegistryFailing", "502")
	p.Down.Store(false)
	p.now.Add(int64(unknownFor / time.Second))
	p.want(p.settle(q), Passed, "", "")
}

// A library that is broken by what somebody stored is Unknown, and the next check works.
func TestCheckThatBreaksOffIsUnknown(t *testing.T) {
	p := newPlace(t)
	web := p.image("shop/web", "amd64")
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("platform", "", ""))
	p.live.broken.Store(true)
	p.want(p.settle(q), Unknown, "NotAsked", "broke off")
	p.live.broken.Store(false)
	p.now.Add(int64(unknownFor / time.Second))
	p.want(p.settle(q), Passed, "", "")
}

func TestRefusedCountsMoreThanUnknown(t *testing.T) {
	p := newPlace(t)
	gone := p.Host + "/shop/gone@sha256:" + strings.Repeat("a", 64)
	q := question(t, []corev1.PodSpec{podOf("127.0.0.1:1/shop/web@sha256:"+strings.Repeat("b", 64), gone)}, p.demand("platform", "", ""))
	q2 := q
	p.want(p.settle(q), Refused, "AddressRefused", "127.0.0.1:1")
	allowed := p.demand("platform", "", "")
	allowed.Spec.RegistryAccess.PrivateHosts = append(allowed.Spec.RegistryAccess.PrivateHosts, "127.0.0.1:1")
	allowed.Generation = 2
	q2 = question(t, q2.podSpecs(), allowed)
	p.want(p.settle(q2), Refused, "ImageNotFound", gone)
}

func nodeOf(name, architecture string, more ...string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux", corev1.LabelArchStable: architecture}}}
	for _, label := range more {
		n.Labels[label] = ""
	}
	return n
}

func TestImageOfAnotherPlatformIsRefused(t *testing.T) {
	p := newPlace(t, nodeOf("a", "amd64"), nodeOf("b", "arm64", "green"))
	web := p.image("shop/web", "arm64")
	p.want(p.settle(question(t, []corev1.PodSpec{podOf(web)}, p.demand("platform", "", ""))), Passed, "", "")
	pod := podOf(web)
	pod.NodeSelector = map[string]string{corev1.LabelArchStable: "amd64"}
	q := question(t, []corev1.PodSpec{pod}, p.demand("platform", "", ""))
	q.Release = "another"
	p.want(p.settle(q), Refused, "PlatformMissing", "is for linux/arm64, and the nodes are linux/amd64")
}

func pullSecret(namespace, name, host, auth string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(auth)))},
	}
}

func TestPullSecretsAreThoseOfThePod(t *testing.T) {
	p := newPlace(t)
	web := p.image("shop/web", "amd64")
	p.wants = "ci:canary"
	for _, object := range []client.Object{
		pullSecret("shop", "pull", p.Host, "ci:canary"), pullSecret("other", "theirs", p.Host, "ci:canary"),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "runner"}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}},
	} {
		if err := p.cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		pod    func(*corev1.PodSpec)
		passes bool
	}{
		"none":                     {func(*corev1.PodSpec) {}, false},
		"its own":                  {func(s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}} }, true},
		"one that is not there":    {func(s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "gone"}} }, false},
		"one of another namespace": {func(s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "theirs"}} }, false},
		"of its ServiceAccount":    {func(s *corev1.PodSpec) { s.ServiceAccountName = "runner" }, true},
		"its own, for the accounts": {func(s *corev1.PodSpec) {
			s.ServiceAccountName, s.ImagePullSecrets = "runner", []corev1.LocalObjectReference{{Name: "gone"}}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := podOf(web)
			test.pod(&pod)
			q := question(t, []corev1.PodSpec{pod}, p.demand("platform", "", ""))
			q.Release = types.UID(name)
			if test.passes {
				p.want(p.settle(q), Passed, "", "")
				return
			}
			answer := p.settle(q)
			p.want(answer, Refused, "PullDenied", "imagePullSecrets")
			if strings.Contains(answer.Message, "canary") {
				t.Errorf("the message holds the password: %s", answer.Message)
			}
		})
	}
}

func TestTrustedRootIsTheOperators(t *testing.T) {
	p := newPlace(t)
	web := p.image("shop/web", "amd64")
	demand := p.demand("ci", v1alpha1.PolicyDeny, "x")
	demand.Spec.Signatures.Authorities[0] = v1alpha1.SignatureAuthority{Name: "ci", Type: v1alpha1.SignatureKeyless,
		Keyless: &v1alpha1.KeylessAuthority{Issuer: "https://i.example.com", Subject: "s", TrustedRootName: "root"}}
	q := question(t, []corev1.PodSpec{podOf(web)}, demand)
	p.want(p.settle(q), Unknown, "TrustedRootMissing", "ConfigMap strata-system/root, which ReleasePolicy ci names, is not there")
	if err := p.cluster.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "strata-system", Name: "root"}, Data: map[string]string{rootKey: "{}"}}); err != nil {
		t.Fatal(err)
	}
	p.now.Add(int64(unknownFor / time.Second))
	p.want(p.settle(q), Unknown, "PolicyUnusable", "ReleasePolicy ci cannot be kept to")
}

func TestWhatNobodyAsksForIsForgotten(t *testing.T) {
	p := newPlace(t)
	web := p.image("shop/web", "amd64")
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("platform", "", ""))
	p.settle(q)
	p.now.Add(int64(forgotten/time.Second) + 1)
	q.Release = "another"
	p.settle(q)
	if len(p.checker.known) != 1 {
		t.Errorf("%d questions are kept", len(p.checker.known))
	}
}
