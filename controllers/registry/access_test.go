package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/test/oci"
)

func TestAddressesThatAreNotAsked(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1": "loopback", "127.8.9.10": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback",
		"64:ff9b::7f00:1": "loopback", "2002:7f00:1::": "loopback", "::127.0.0.1": "loopback",
		"169.254.169.254": "metadata", "::ffff:169.254.169.254": "metadata", "64:ff9b::a9fe:a9fe": "metadata",
		"2002:a9fe:a9fe::1": "metadata", "fd00:ec2::254": "metadata", "fd20:ce::254": "metadata",
		"100.100.100.200": "metadata", "168.63.129.16": "metadata", "192.0.0.192": "metadata",
		"169.254.1.1": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local", "224.0.0.1": "link-local", "ff02::1": "link-local",
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified",
		"239.1.2.3": "multicast", "ff0e::1": "multicast", "255.255.255.255": "multicast",
		// Where registries of clusters are.
		"10.0.0.1": "", "172.16.0.1": "", "192.168.1.1": "", "100.64.0.1": "", "fd12::1": "",
		"93.184.215.14": "", "2606:2800:21f:cb07:6820:80da:af6b:8b2c": "", "64:ff9b::5db8:d70e": "",
	} {
		if got := judgeAddress(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
}

func TestLoopbackIsNotAskedUnlessListed(t *testing.T) {
	s := realRegistry(t)
	port := s.Host[strings.LastIndex(s.Host, ":"):]
	for _, host := range []string{s.Host, "localhost" + port} { // the second by its name
		_, err := begin(t, s, Access{}, newClock(), Credentials{}).Image(t.Context(), host+"/web@"+someDigest)
		wantError(t, err, false, ReasonAddress, "loopback", "privateHosts")
	}
	for _, listed := range []string{"127.0.0.1", "127.0.0.1:1", "localhost" + port} {
		_, err := begin(t, s, Access{PrivateHosts: []string{listed}}, newClock(), Credentials{}).Image(t.Context(), s.Host+"/web@"+someDigest)
		wantError(t, err, false, ReasonAddress)
	}
	if s.Asked.Load() != 0 {
		t.Error("the server was asked")
	}
}

func TestPlainHTTPIsNotSpokenUnlessListed(t *testing.T) {
	stored := realRegistry(t)
	ref := push(stored, "web", oci.Image(t, "linux", "amd64"))
	plain := httptest.NewServer(stored.Config.Handler)
	t.Cleanup(plain.Close)
	host := strings.TrimPrefix(plain.URL, "http://")
	ref = strings.Replace(ref, stored.Host, host, 1)

	_, err := begin(t, stored, Access{PrivateHosts: []string{host}}, newClock(), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonPlainHTTP, "plainHTTPHosts")
	access := Access{PrivateHosts: []string{host}, PlainHTTPHosts: []string{host}}
	if _, err := begin(t, stored, access, newClock(), Credentials{}).Image(t.Context(), ref); err != nil {
		t.Error(err)
	}
	_, err = begin(t, stored, Access{PlainHTTPHosts: []string{host}}, newClock(), Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonAddress)
}

// leadsTo answers what is asked of it with a way to elsewhere.
func TestNobodyIsLedElsewhere(t *testing.T) {
	victim := realRegistry(t)
	port := victim.Host[strings.LastIndex(victim.Host, ":"):]
	for _, target := range []string{
		"https://169.254.169.254/latest/meta-data/", "http://169.254.169.254/latest/meta-data/",
		"https://" + victim.Host + "/", "https://localhost" + port + "/", "https://[::1]" + port + "/", "https://[::ffff:127.0.0.1]" + port + "/",
		"http://registry.example.com/", "file:///etc/passwd", "gopher://127.0.0.1/", "//" + victim.Host + "/",
	} {
		for how, handler := range map[string]http.HandlerFunc{
			"by a redirect of the API": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, target, http.StatusTemporaryRedirect)
			},
			"by a redirect of a manifest": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					w.Header().Set("Location", target)
					w.WriteHeader(http.StatusFound)
				}
			},
			"by the realm of tokens": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="x"`, target))
				w.WriteHeader(http.StatusUnauthorized)
			},
			"by a redirect of the token server": func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					http.Redirect(w, r, target, http.StatusFound)
					return
				}
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="x"`, r.Host))
				w.WriteHeader(http.StatusUnauthorized)
			},
		} {
			t.Run(how+" to "+target, func(t *testing.T) {
				s := oci.Serve(t, handler)
				_, err := begin(t, s, private(s), newClock(), Credentials{}).Image(t.Context(), s.Host+"/web@"+someDigest)
				reason := ReasonAddress
				if strings.HasPrefix(target, "http://registry") || strings.HasPrefix(target, "http://169") {
					reason = ReasonPlainHTTP
				}
				wantError(t, err, false, reason)
				if victim.Asked.Load() != 0 {
					t.Fatal("the victim was asked")
				}
			})
		}
	}
}

func TestConnectionsOfOneSessionAreNotAnothers(t *testing.T) {
	s := realRegistry(t)
	ref := push(s, "web", oci.Image(t, "linux", "amd64"))
	client := newClient(s, newClock())
	if _, err := beginWith(t, client, private(s), Credentials{}).Image(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	_, err := beginWith(t, client, Access{}, Credentials{}).Image(t.Context(), ref)
	wantError(t, err, false, ReasonAddress)
}

type resource struct{ host, path string }

func (r resource) String() string      { return r.host + "/" + r.path }
func (r resource) RegistryStr() string { return r.host }

func TestMostSpecificCredentialsWin(t *testing.T) {
	credentials, err := ReadCredentials([]corev1.Secret{
		pullSecret("a", "*.example.com", "any", "x"),
		pullSecret("b", "registry.example.com", "host", "x"),
		pullSecret("c", "registry.example.com/shop", "shop", "x"),
		pullSecret("d", "https://index.docker.io/v1/", "hub", "x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[resource]string{
		{"registry.example.com", "shop/web"}:   "shop",
		{"registry.example.com", "shopping/a"}: "host",
		{"mirror.example.com", "shop/web"}:     "any",
		{"a.b.example.com", "web"}:             "",
		{"example.com", "web"}:                 "",
		{"registry.example.com:5000", "web"}:   "",
		{"index.docker.io", "library/nginx"}:   "hub",
	} {
		auth, err := credentials.Resolve(target)
		if err != nil {
			t.Fatal(err)
		}
		config, err := auth.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		if config.Username != want {
			t.Errorf("%s: got user %q, want %q", target, config.Username, want)
		}
	}
}

func TestPullSecretsThatCannotBeRead(t *testing.T) {
	damaged := pullSecret("pull", "registry.example.com", "ci", "x")
	damaged.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths": "canary"}`)
	opaque := corev1.Secret{Type: corev1.SecretTypeOpaque}
	for _, secret := range []corev1.Secret{damaged, opaque} {
		_, err := ReadCredentials([]corev1.Secret{secret})
		if told := wantError(t, err, false, ReasonSecret); strings.Contains(told.Message, "canary") {
			t.Errorf("the message holds the content: %s", told.Message)
		}
	}
	old := corev1.Secret{Type: corev1.SecretTypeDockercfg, Data: map[string][]byte{
		corev1.DockerConfigKey: []byte(`{"registry.example.com":{"username":"ci","password":"x"}}`)}}
	if credentials, err := ReadCredentials([]corev1.Secret{old}); err != nil || len(credentials.entries) != 1 {
		t.Errorf("got %v", err)
	}
}
