package pki

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

var kubeconfig = template.Must(template.New("kubeconfig").Parse(`apiVersion: v1
kind: Config
clusters:
- name: strata
  cluster:
    server: {{.Server}}
    certificate-authority-data: {{.CA}}
users:
- name: {{.User}}
  user:
    client-certificate-data: {{.Cert}}
    client-key-data: {{.Key}}
contexts:
- name: strata
  context: {cluster: strata, user: {{.User}}}
current-context: strata
`))

// Kubeconfig writes a self-contained kubeconfig for the identity whose
// certificate was issued under name.
func (a *Authority) Kubeconfig(path, name, server string) error {
	read := func(file string) (string, error) {
		data, err := os.ReadFile(filepath.Join(a.dir, file))
		return base64.StdEncoding.EncodeToString(data), err
	}
	in := struct{ Server, User, CA, Cert, Key string }{Server: server, User: name}
	for file, into := range map[string]*string{"ca.crt": &in.CA, name + ".crt": &in.Cert, name + ".key": &in.Key} {
		var err error
		if *into, err = read(file); err != nil {
			return fmt.Errorf("make kubeconfig %s: %w", name, err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make kubeconfig %s: %w", name, err)
	}
	defer f.Close()
	if err := kubeconfig.Execute(f, in); err != nil {
		return fmt.Errorf("make kubeconfig %s: %w", name, err)
	}
	return f.Close()
}
