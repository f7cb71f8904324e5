package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/strata-release/strata/controllers/ledger"
)

// passwordEnv holds the password of an encrypted private key, as it does for cosign.
const passwordEnv = "COSIGN_PASSWORD"

func signKeyFlag(command *cobra.Command, to *string, what string) {
	command.Flags().StringVar(to, "sign-key", "", "private key in PEM (openssl's or cosign's, password in "+passwordEnv+") to sign "+what+" with")
}

// signer reads a private key.
func signer(file string) (*ledger.Signer, error) {
	private, err := os.ReadFile(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("--sign-key: %w", err)
	}
	s, err := ledger.NewSigner(private, func() ([]byte, error) {
		password, ok := os.LookupEnv(passwordEnv)
		if !ok {
			return nil, errors.New("it is encrypted: put its password into " + passwordEnv)
		}
		return []byte(password), nil
	})
	return s, wrap(err, "--sign-key %s", file)
}

// signatureOf is the file with the signature of another.
func signatureOf(file, flag string) (string, error) {
	switch {
	case flag != "":
		return flag, nil
	case file == "-":
		return "", errors.New("--signature is required for what is read from standard input: the file with its signature")
	}
	return file + ".sig", nil
}

// signed is who signed what is exported, and where the signature stands.
type signed struct{ key, signature string }

// write writes the signature of an export.
func (w signed) write(content []byte) error {
	key, err := signer(w.key)
	if err != nil {
		return err
	}
	beside, err := key.SignFile(content)
	if err != nil {
		return fmt.Errorf("--sign-key %s: %w", w.key, err)
	}
	data, err := json.Marshal(beside)
	if err != nil {
		return err
	}
	return wrap(os.WriteFile(w.signature, append(data, '\n'), 0o600), "write the signature")
}

// verify answers with the digest of the key that signed an export, and says which of
// signature, key and content is at fault where it did not.
func (w signed) verify(file string, content []byte) (string, error) {
	public, err := os.ReadFile(w.key) //nolint:gosec // the user names it
	if err != nil {
		return "", fmt.Errorf("--key: %w", err)
	}
	key, err := ledger.NewVerifier(public)
	if err != nil {
		return "", fmt.Errorf("--key %s: %w", w.key, err)
	}
	name, err := signatureOf(file, w.signature)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(name) //nolint:gosec // the user names it, or the export
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", no("%s is not signed: there is no %s; name another file with --signature, or leave --key out", file, name)
	case err != nil:
		return "", fmt.Errorf("--signature: %w", err)
	}
	var beside ledger.Signature
	if err := json.Unmarshal(text, &beside); err != nil || beside.Signature == "" {
		return "", no("%s is not signed: %s holds no signature of audit export", file, name)
	}
	if err := key.VerifyFile(content, beside); err != nil {
		return "", no("%s is not what was signed with %s: %v", file, w.key, err)
	}
	return key.KeyDigest, nil
}
