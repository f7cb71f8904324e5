package registry

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	corev1 "k8s.io/api/core/v1"
)

// Credentials are those of pull secrets, the most specific first.
type Credentials struct{ entries []credential }

type credential struct {
	// host may have * for a whole label, or a part of one; path is a prefix of segments.
	host, path string
	auth       authn.AuthConfig
}

// ReadCredentials reads pull secrets, as the kubelet does: of types
// kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg. It fails for one that
// cannot be read, without a word of its content.
func ReadCredentials(secrets []corev1.Secret) (Credentials, error) {
	var read Credentials
	for i := range secrets {
		auths, err := parseSecret(&secrets[i])
		if err != nil {
			return Credentials{}, err
		}
		for key, auth := range auths {
			host, path := splitKey(key)
			read.entries = append(read.entries, credential{host, path, auth})
		}
	}
	slices.SortStableFunc(read.entries, func(a, b credential) int {
		return cmp.Or(
			cmp.Compare(strings.Count(a.host, "*"), strings.Count(b.host, "*")),
			cmp.Compare(len(b.path), len(a.path)), cmp.Compare(len(b.host), len(a.host)),
			strings.Compare(a.host, b.host), strings.Compare(a.path, b.path))
	})
	return read, nil
}

func parseSecret(secret *corev1.Secret) (map[string]authn.AuthConfig, error) {
	invalid := func(why string) error {
		return refused(ReasonSecret, "pull secret %s %s: make it anew with kubectl create secret docker-registry", secret.Name, why)
	}
	var auths map[string]authn.AuthConfig
	var err error
	switch secret.Type {
	case corev1.SecretTypeDockerConfigJson:
		var config struct {
			Auths map[string]authn.AuthConfig `json:"auths"`
		}
		err = json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &config)
		auths = config.Auths
	case corev1.SecretTypeDockercfg:
		err = json.Unmarshal(secret.Data[corev1.DockerConfigKey], &auths)
	default:
		return nil, invalid("has type " + string(secret.Type) + ", not " + string(corev1.SecretTypeDockerConfigJson))
	}
	if err != nil {
		return nil, invalid("cannot be read") // The error may quote the content.
	}
	return auths, nil
}

// splitKey reads the key of a credential: a host or an address, with or without a path.
func splitKey(key string) (host, path string) {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, path, _ = strings.Cut(rest, "/")
	path = strings.Trim(path, "/")
	if host == "docker.io" || host == "registry-1.docker.io" {
		host = "index.docker.io"
	}
	if path == "v1" || path == "v2" {
		path = "" // of the API, not of a repository
	}
	return host, path
}

// Resolve implements authn.Keychain: the most specific credentials for a repository;
// nobody's where there are none.
func (c Credentials) Resolve(target authn.Resource) (authn.Authenticator, error) {
	repository := strings.TrimPrefix(strings.TrimPrefix(target.String(), target.RegistryStr()), "/")
	for _, entry := range c.entries {
		if matchHost(entry.host, target.RegistryStr()) && underPath(entry.path, repository) {
			return authn.FromConfig(entry.auth), nil
		}
	}
	return authn.Anonymous, nil
}

// matchHost compares label by label, so that *.example.com is not a.b.example.com.
func matchHost(pattern, host string) bool {
	patterns, labels := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(patterns) != len(labels) {
		return false
	}
	for i := range patterns {
		if ok, err := path.Match(patterns[i], labels[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

// underPath says whether a path is a prefix of another, in whole segments.
func underPath(prefix, path string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}
