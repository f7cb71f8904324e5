package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Lifetimes of what is created. A certificate is replaced when two thirds of its
// life are over.
type Lifetimes struct {
	// Authority and Serving are how long the certificates are valid.
	Authority time.Duration
	Serving   time.Duration
	// SettleTime is how long a new authority is known to the API servers before it
	// signs what they must verify.
	SettleTime time.Duration
}

// DefaultLifetimes are what a cluster gets.
var DefaultLifetimes = Lifetimes{Authority: 365 * 24 * time.Hour, Serving: 60 * 24 * time.Hour, SettleTime: 10 * time.Minute}

// clockSkew is by how much a certificate is valid before it was made, for API
// servers whose clocks are behind.
const clockSkew = 5 * time.Minute

// Material is what the Secret holds, all PEM.
type Material struct {
	// Bundle holds the certificates of the authorities that may have signed what is
	// served, the newest first.
	Bundle []byte
	// AuthorityKey belongs to the first of them. The keys of older ones are gone.
	AuthorityKey []byte
	Certificate  []byte
	Key          []byte
}

// Renew answers what the Secret should hold at a time, and when to look again.
// Material that is empty, damaged, or made for other hosts is replaced. hosts are
// the DNS names and IP addresses that the webhook is called by, at least one.
func Renew(m Material, hosts []string, l Lifetimes, now time.Time) (renewed Material, changed bool, next time.Duration, err error) {
	current, err := parse(m)
	if err != nil || !current.usable(now) {
		if current, err = newMaterial(hosts, l, now); err != nil {
			return m, false, 0, err
		}
		return current.encode(), true, current.next(l, now), nil
	}
	if current.dropExpired(now) {
		changed = true
	}
	if due(current.authorities[0], now) {
		authority, key, err := newAuthority(l, now)
		if err != nil {
			return m, false, 0, err
		}
		current.authorities = append([]*x509.Certificate{authority}, current.authorities...)
		current.authorityKey, changed = key, true
	}
	if current.servingDue(hosts, l, now) {
		if err := current.sign(hosts, l, now); err != nil {
			return m, false, 0, err
		}
		changed = true
	}
	if !changed {
		return m, false, current.next(l, now), nil
	}
	return current.encode(), true, current.next(l, now), nil
}

// state is Material, parsed.
type state struct {
	authorities  []*x509.Certificate
	authorityKey *ecdsa.PrivateKey
	serving      *x509.Certificate
	servingKey   *ecdsa.PrivateKey
}

func newMaterial(hosts []string, l Lifetimes, now time.Time) (*state, error) {
	authority, key, err := newAuthority(l, now)
	if err != nil {
		return nil, err
	}
	s := &state{authorities: []*x509.Certificate{authority}, authorityKey: key}
	return s, s.sign(hosts, l, now)
}

// usable says whether what is served can be verified at all: its signer is in the
// bundle and neither has expired.
func (s *state) usable(now time.Time) bool {
	return s.signer() != nil && now.Before(s.signer().NotAfter) && now.Before(s.serving.NotAfter) &&
		now.Before(s.authorities[0].NotAfter)
}

func (s *state) signer() *x509.Certificate {
	for _, authority := range s.authorities {
		if s.serving.CheckSignatureFrom(authority) == nil {
			return authority
		}
	}
	return nil
}

func (s *state) dropExpired(now time.Time) bool {
	kept := s.authorities[:0:0]
	for _, authority := range s.authorities {
		if now.Before(authority.NotAfter) {
			kept = append(kept, authority)
		}
	}
	dropped := len(kept) < len(s.authorities)
	s.authorities = kept
	return dropped
}

// servingDue says whether the newest authority is to sign a new certificate now.
func (s *state) servingDue(hosts []string, l Lifetimes, now time.Time) bool {
	if s.signer() == s.authorities[0] {
		return due(s.serving, now) || !covers(s.serving, hosts)
	}
	return !now.Before(made(s.authorities[0]).Add(l.SettleTime))
}

// next is how long nothing will change by itself.
func (s *state) next(l Lifetimes, now time.Time) time.Duration {
	at := dueAt(s.authorities[0])
	if s.signer() == s.authorities[0] {
		if serving := dueAt(s.serving); serving.Before(at) {
			at = serving
		}
	} else if settled := made(s.authorities[0]).Add(l.SettleTime); settled.Before(at) {
		at = settled
	}
	if oldest := s.authorities[len(s.authorities)-1].NotAfter; oldest.Before(at) {
		at = oldest
	}
	return max(at.Sub(now), 10*time.Millisecond)
}

func (s *state) sign(hosts []string, l Lifetimes, now time.Time) error {
	template := certificate("strata-webhook", l.Serving, now)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	// Nothing outlives the authority that it is verified by.
	if end := s.authorities[0].NotAfter; end.Before(template.NotAfter) {
		template.NotAfter = end
	}
	cert, key, err := issue(template, s.authorities[0], s.authorityKey)
	if err != nil {
		return fmt.Errorf("issue the serving certificate: %w", err)
	}
	s.serving, s.servingKey = cert, key
	return nil
}

func newAuthority(l Lifetimes, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	template := certificate("strata-webhook-ca", l.Authority, now)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	cert, key, err := issue(template, template, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("issue the authority of the webhook: %w", err)
	}
	return cert, key, nil
}

func certificate(name string, lifetime time.Duration, now time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: now.Add(-clockSkew),
		NotAfter:  now.Add(lifetime),
	}
}

// issue signs a template with its parent's key; with none, with its own.
func issue(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	var signer crypto.Signer = key
	if parentKey != nil {
		signer = parentKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func made(cert *x509.Certificate) time.Time { return cert.NotBefore.Add(clockSkew) }

// dueAt is when two thirds of a certificate's life are over.
func dueAt(cert *x509.Certificate) time.Time {
	return made(cert).Add(cert.NotAfter.Sub(made(cert)) * 2 / 3)
}

func due(cert *x509.Certificate, now time.Time) bool { return !now.Before(dueAt(cert)) }

func covers(cert *x509.Certificate, hosts []string) bool {
	for _, host := range hosts {
		if cert.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}

func (s *state) encode() Material {
	var bundle bytes.Buffer
	for _, authority := range s.authorities {
		bundle.Write(encodePEM("CERTIFICATE", authority.Raw))
	}
	return Material{
		Bundle:       bundle.Bytes(),
		AuthorityKey: encodeKey(s.authorityKey),
		Certificate:  encodePEM("CERTIFICATE", s.serving.Raw),
		Key:          encodeKey(s.servingKey),
	}
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(fmt.Sprintf("encode a key of our own making: %v", err)) // P-256 always encodes
	}
	return encodePEM("EC PRIVATE KEY", der)
}
