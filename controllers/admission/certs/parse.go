package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// parse reads what the Secret holds. It fails for what is missing, damaged, or
// does not belong together.
func parse(m Material) (*state, error) {
	authorities, err := parseCertificates(m.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read the authorities: %w", err)
	}
	authorityKey, err := parseKey(m.AuthorityKey)
	if err != nil {
		return nil, fmt.Errorf("read the key of the authority: %w", err)
	}
	serving, err := parseCertificates(m.Certificate)
	if err != nil {
		return nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	servingKey, err := parseKey(m.Key)
	if err != nil {
		return nil, fmt.Errorf("read the serving key: %w", err)
	}
	if !authorityKey.PublicKey.Equal(authorities[0].PublicKey) || !servingKey.PublicKey.Equal(serving[0].PublicKey) {
		return nil, errors.New("a key is not that of its certificate")
	}
	return &state{authorities: authorities, authorityKey: authorityKey, serving: serving[0], servingKey: servingKey}, nil
}

// parseCertificates reads at least one certificate.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate")
	}
	return certs, nil
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no key")
	}
	return x509.ParseECPrivateKey(block.Bytes)
}
