package registry

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/test/oci"
)

const someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var (
	amd64 = Platform{"linux", "amd64"}
	arm64 = Platform{"linux", "arm64"}
)

// wantError fails unless err is an Error of that kind, and says all the words.
func wantError(t *testing.T, err error, isUnknown bool, reason string, words ...string) *Error {
	t.Helper()
	var told *Error
	if !errors.As(err, &told) || told.Unknown != isUnknown || told.Reason != reason {
		t.Fatalf("got %v, want unknown %t, reason %s", err, isUnknown, reason)
	}
	for _, word := range words {
		if !strings.Contains(told.Message, word) {
			t.Errorf("the message %q does not say %q", told.Message, word)
		}
	}
	return told
}

func TestImageOfOnePlatform(t *testing.T) {
	s := realRegistry(t)
	ref := push(s, "shop/web", oci.Image(t, "linux", "arm64"))
	image, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(image.Platforms, []Platform{arm64}) || image.Reference.Name() != ref {
		t.Errorf("got %v of %s", image.Platforms, image.Reference)
	}
	if err := image.CheckPlatforms([]Platform{amd64, arm64}); err != nil {
		t.Errorf("one node of two can run it: %v", err)
	}
	if err := image.CheckPlatforms(nil); err != nil {
		t.Errorf("no nodes are known: %v", err)
	}
	wantError(t, image.CheckPlatforms([]Platform{amd64}), false, ReasonNoPlatform, "linux/arm64", "nodes are linux/amd64")
}

func TestImageOfManyPlatforms(t *testing.T) {
	s := realRegistry(t)
	index := indexFor(t, v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64"}, v1.Platform{OS: "unknown", Architecture: "unknown"})
	ref := push(s, "shop/web", index)
	image, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(image.Platforms, []Platform{amd64, arm64}) || len(image.Digests) != 2 {
		t.Errorf("got %v, %v", image.Platforms, image.Digests)
	}
	manifest, err := index.IndexManifest()
	if err != nil || image.Digests[1] != manifest.Manifests[1].Digest.String() {
		t.Errorf("got %v of %v, %v", image.Digests, manifest, err)
	}
}

func TestWhatIsNoImage(t *testing.T) {
	s := realRegistry(t)
	chart := mutate.ConfigMediaType(oci.Image(t, "linux", "amd64"), "application/vnd.cncf.helm.config.v1+json")
	noPlatform := oci.Image(t, "", "")
	for name, ref := range map[string]string{
		"a chart":                           push(s, "chart", chart),
		"an index of nothing":               push(s, "empty", mutate.IndexMediaType(empty.Index, types.OCIImageIndex)),
		"an index of attestations":          push(s, "attested", indexFor(t, v1.Platform{OS: "unknown", Architecture: "unknown"})),
		"a configuration without platforms": push(s, "nowhere", noPlatform),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), ref)
			wantError(t, err, false, ReasonNotAnImage, ref)
		})
	}
}

func TestImageThatIsNotThereIsRememberedForAWhile(t *testing.T) {
	s, c := realRegistry(t), newClock()
	client := newClient(s, c)
	ref := s.Host + "/shop/web@" + someDigest
	_, err := beginWith(t, client, private(s), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonNotFound, ref, "push it")
	asked := s.Asked.Load()
	_, err = beginWith(t, client, private(s), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonNotFound)
	if s.Asked.Load() != asked {
		t.Error("the registry was asked again at once")
	}
	// Other rules may give another answer.
	_, err = beginWith(t, client, Access{}, Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonAddress)
	c.now = c.now.Add(refusedFor)
	_, err = beginWith(t, client, private(s), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonNotFound)
	if s.Asked.Load() == asked {
		t.Error("the registry was not asked again later")
	}
}

func TestRegistryThatIsDownIsUnknown(t *testing.T) {
	s := realRegistry(t)
	s.Close()
	_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
	wantError(t, err, true, ReasonUnreachable, s.Host)
}

func TestRegistryThatFailsIsUnknown(t *testing.T) {
	s := oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
	wantError(t, err, true, ReasonFailing, "502")
}

func TestRegistryWithAnUnknownCertificateIsUnknown(t *testing.T) {
	s := realRegistry(t)
	session := beginWith(t, NewClient(Options{Now: newClock().time}), private(s), Credentials{})
	_, err := session.Image(t.Context(), s.Host+"/shop/web@"+someDigest)
	wantError(t, err, true, ReasonUnreachable, "certificate")
}

func TestSlowBodyEndsAtTheDeadline(t *testing.T) {
	s := oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = w.Write([]byte(`{"schemaVersion":2,`))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // who returns ends the body, and may still be heard
	}))
	client := NewClient(Options{Timeout: 100 * time.Millisecond, Now: newClock().time, Transport: s.Transport()})
	_, err := beginWith(t, client, private(s), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
	wantError(t, err, true, ReasonUnreachable, "in time")
}

func TestHugeAnswersAreRefused(t *testing.T) {
	huge := bytes.Repeat([]byte(" "), MaxBytes+1)
	for name, chunked := range map[string]bool{"announced": false, "not announced": true} {
		t.Run(name, func(t *testing.T) {
			s := oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" {
					return
				}
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				if chunked {
					w.(http.Flusher).Flush()
				} else {
					w.Header().Set("Content-Length", fmt.Sprint(len(huge)))
				}
				_, _ = w.Write(huge)
			}))
			_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
			wantError(t, err, false, ReasonTooLarge, "4 MiB")
		})
	}
}

func TestOtherContentThanItsDigestIsUnknown(t *testing.T) {
	s := oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
	}))
	_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
	wantError(t, err, true, ReasonUnreachable, "does not match")
}

func TestRetryAfterIsKept(t *testing.T) {
	c := newClock()
	for name, test := range map[string]struct {
		status int
		header string
		want   time.Duration
	}{
		"seconds":           {http.StatusTooManyRequests, "120", 2 * time.Minute},
		"a date":            {http.StatusTooManyRequests, c.now.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute},
		"nothing":           {http.StatusTooManyRequests, "", defaultWait},
		"nonsense":          {http.StatusTooManyRequests, "soon", defaultWait},
		"too short":         {http.StatusTooManyRequests, "0", leastWait},
		"in the past":       {http.StatusTooManyRequests, c.now.Add(-time.Hour).Format(http.TimeFormat), leastWait},
		"too long":          {http.StatusTooManyRequests, "1000000", mostWait},
		"while unavailable": {http.StatusServiceUnavailable, "60", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := oci.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				w.WriteHeader(test.status)
			}))
			c := newClock()
			client := newClient(s, c)
			_, err := beginWith(t, client, private(s), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
			if told := wantError(t, err, true, ReasonBusy, s.Host); told.RetryAfter != test.want {
				t.Errorf("asked to wait for %s, want %s", told.RetryAfter, test.want)
			}
			asked := s.Asked.Load()
			// Also for another image, by another session.
			c.now = c.now.Add(test.want - time.Millisecond)
			_, err = beginWith(t, client, private(s), Credentials{}).Image(t.Context(), s.Host+"/shop/api@"+someDigest)
			wantError(t, err, true, ReasonBusy)
			if s.Asked.Load() != asked {
				t.Error("the registry was asked before its time")
			}
			c.now = c.now.Add(time.Millisecond + max(0, unknownFor-test.want))
			_, _ = beginWith(t, client, private(s), Credentials{}).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
			if s.Asked.Load() == asked {
				t.Error("the registry was not asked when its time had come")
			}
		})
	}
}

// guardedBy demands a user of a registry, by basic authentication.
func guardedBy(user, password string, inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func pullSecret(name, key, user, password string) corev1.Secret {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	secret := corev1.Secret{Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{
		corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, key, auth),
	}}
	secret.Name = name
	return secret
}

func TestPullSecretsOpenARegistry(t *testing.T) {
	open := realRegistry(t)
	ref := push(open, "shop/web", oci.Image(t, "linux", "amd64"))
	s := oci.Serve(t, guardedBy("ci", "s3cret", open.Config.Handler))
	ref = strings.Replace(ref, open.Host, s.Host, 1)

	_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonDenied, "imagePullSecrets")

	wrong, err := ReadCredentials([]corev1.Secret{pullSecret("pull", s.Host, "ci", "canary-password")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = begin(t, s, private(s), newClock(), wrong).Image(t.Context(), ref)
	if told := wantError(t, err, false, ReasonDenied); strings.Contains(told.Message, "canary") {
		t.Errorf("the message holds the password: %s", told.Message)
	}

	right, err := ReadCredentials([]corev1.Secret{
		pullSecret("elsewhere", "registry.example.com", "other", "other"),
		pullSecret("pull", "https://"+s.Host+"/v2/", "ci", "s3cret"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, s, private(s), newClock(), right).Image(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

// What a server answers may hold what it was asked with; messages do not.
func TestNoCredentialGetsIntoAMessage(t *testing.T) {
	const canary = "canary-password"
	var asked atomic.Int32
	for name, handler := range map[string]http.HandlerFunc{
		"echoed in a failure": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, password, _ := r.BasicAuth()
			_, _ = fmt.Fprintln(w, canary, password)
		},
		"echoed as an error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, `{"errors":[{"code":"%s","message":"%s"}]}`, canary, canary)
		},
		"by a token server": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_, _ = fmt.Fprintf(w, `{"refresh_token":"%s"}`, canary)
				return
			}
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		},
		"in a redirect of the token server that is refused": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				http.Redirect(w, r, "https://10.0.0.1/?signature="+canary, http.StatusFound)
				return
			}
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
		},
		"in a redirect of the token server, once its token is no longer taken": func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token" && asked.Add(1) == 1:
				_, _ = fmt.Fprint(w, `{"token":"first"}`)
			case r.URL.Path == "/token":
				http.Redirect(w, r, "https://registry.invalid/?signature="+canary, http.StatusFound)
			default:
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="x"`, r.Host))
				w.WriteHeader(http.StatusUnauthorized)
			}
		},
		"in a redirect to nowhere": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				http.Redirect(w, r, "https://registry.invalid/?signature="+canary, http.StatusFound)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := oci.Serve(t, handler)
			credentials, err := ReadCredentials([]corev1.Secret{pullSecret("pull", s.Host, "ci", canary)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = begin(t, s, private(s), newClock(), credentials).Image(t.Context(), s.Host+"/shop/web@"+someDigest)
			var told *Error
			if !errors.As(err, &told) || !told.Unknown || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReferrersAndBlobs(t *testing.T) {
	s := realRegistry(t)
	ref := push(s, "shop/web", oci.Image(t, "linux", "amd64"))
	session := begin(t, s, private(s), newClock(), Credentials{})
	image, err := session.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	referrers, err := session.Referrers(t.Context(), image.Reference)
	if err != nil || len(referrers) != 0 {
		t.Fatalf("got %v, %v", referrers, err)
	}
	hash, err := v1.NewHash(image.Reference.DigestStr())
	if err != nil {
		t.Fatal(err)
	}
	attached := mutate.Subject(oci.Image(t, "linux", "amd64"), v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash, Size: 1}).(v1.Image)
	push(s, "shop/web", attached)
	if referrers, err = session.Referrers(t.Context(), image.Reference); err != nil || len(referrers) != 1 {
		t.Fatalf("got %v, %v, want one", referrers, err)
	}
	manifest, err := session.ByDigest(t.Context(), image.Reference, referrers[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest.Raw))
	if err != nil {
		t.Fatal(err)
	}
	data, err := session.Blob(t.Context(), image.Reference, parsed.Layers[0].Digest)
	if err != nil || int64(len(data)) != parsed.Layers[0].Size {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
	_, err = session.Tagged(t.Context(), image.Reference, "sha256-"+hash.Hex+".sig")
	if !IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoReference(t *testing.T) {
	s := realRegistry(t)
	session := begin(t, s, private(s), newClock(), Credentials{})
	for _, ref := range []string{"", "web", s.Host + "/web:1", s.Host + "/web@sha256:abc", s.Host + "/WEB@" + someDigest, "http://" + s.Host + "/web@" + someDigest} {
		_, err := session.Image(t.Context(), ref)
		wantError(t, err, false, ReasonReference)
	}
	if s.Asked.Load() != 0 {
		t.Error("the registry was asked")
	}
}
