package certs

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

var (
	start     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lifetimes = Lifetimes{Authority: 30 * time.Hour, Serving: 6 * time.Hour, SettleTime: 10 * time.Minute}
	hosts     = []string{"strata-webhook.strata-system.svc", "127.0.0.1"}
)

// verifies says whether an API server that knows a bundle accepts a certificate.
func verifies(t *testing.T, bundle []byte, m Material, now time.Time) error {
	t.Helper()
	pair, err := tls.X509KeyPair(m.Certificate, m.Key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: hosts[0], CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

// Over ten lives of an authority, looked at whenever Renew asks for it, what is
// served is always verified by the bundle of now, and by the one before it.
func TestRenewNeverServesWhatCannotBeVerified(t *testing.T) {
	var m Material
	var before []byte
	now, authorities, servings := start, 0, 0
	for now.Before(start.Add(300 * time.Hour)) {
		renewed, changed, next, err := Renew(m, hosts, lifetimes, now)
		if err != nil {
			t.Fatal(err)
		}
		if !changed && m.Bundle == nil {
			t.Fatal("nothing was made of nothing")
		}
		if err := verifies(t, renewed.Bundle, renewed, now); err != nil {
			t.Fatalf("at %v: %v", now.Sub(start), err)
		}
		if before != nil {
			if err := verifies(t, before, renewed, now); err != nil {
				t.Fatalf("at %v, by a bundle of the last round: %v", now.Sub(start), err)
			}
			if string(before) != string(renewed.Bundle) {
				authorities++
			}
			if string(m.Certificate) != string(renewed.Certificate) {
				servings++
			}
		}
		if err := verifies(t, renewed.Bundle, renewed, now.Add(next)); err != nil {
			t.Fatalf("expired before it is looked at again, at %v for %v: %v", now.Sub(start), next, err)
		}
		before, m, now = renewed.Bundle, renewed, now.Add(next)
	}
	if authorities < 10 || servings < 60 {
		t.Fatalf("%d bundles and %d certificates in 300 h", authorities, servings)
	}
}

func TestRenewKeepsWhatIsGood(t *testing.T) {
	m, _, next, err := Renew(Material{}, hosts, lifetimes, start)
	if err != nil {
		t.Fatal(err)
	}
	if next != 4*time.Hour {
		t.Errorf("looks again after %v, not after two thirds of 6 h", next)
	}
	if _, changed, _, err := Renew(m, hosts, lifetimes, start.Add(next-time.Second)); err != nil || changed {
		t.Errorf("changed %v, %v", changed, err)
	}
}

func TestRenewReplacesWhatIsNot(t *testing.T) {
	good, _, _, err := Renew(Material{}, hosts, lifetimes, start)
	if err != nil {
		t.Fatal(err)
	}
	other, _, _, err := Renew(Material{}, hosts, lifetimes, start)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(change func(*Material)) Material {
		m := good
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		material Material
		hosts    []string
		now      time.Time
	}{
		"no bundle":            {damaged(func(m *Material) { m.Bundle = nil }), hosts, start},
		"no key":               {damaged(func(m *Material) { m.Key = nil }), hosts, start},
		"broken certificate":   {damaged(func(m *Material) { m.Certificate = []byte("x") }), hosts, start},
		"key of another":       {damaged(func(m *Material) { m.Key = other.Key }), hosts, start},
		"authority of another": {damaged(func(m *Material) { m.Bundle, m.AuthorityKey = other.Bundle, other.AuthorityKey }), hosts, start},
		"another host":         {good, append([]string{"other.example.com"}, hosts...), start},
		"long expired":         {good, hosts, start.Add(1000 * time.Hour)},
	} {
		renewed, changed, _, err := Renew(c.material, c.hosts, lifetimes, c.now)
		if err != nil || !changed {
			t.Errorf("%s: changed %v, %v", name, changed, err)
			continue
		}
		if err := verifies(t, renewed.Bundle, renewed, c.now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
