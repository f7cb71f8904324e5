package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Reasons of what is refused.
const (
	// ReasonNotFound: the registry has no such manifest.
	ReasonNotFound = "ImageNotFound"
	// ReasonNotAnImage: it has one, of something that nothing can run.
	ReasonNotAnImage = "NotAnImage"
	// ReasonNoPlatform: an image, for none of the nodes.
	ReasonNoPlatform = "PlatformMissing"
	// ReasonTooLarge: an answer of more than MaxBytes.
	ReasonTooLarge = "ManifestTooLarge"
	// ReasonDenied: the registry does not let these credentials, or nobody, read it.
	ReasonDenied = "PullDenied"
	// ReasonAddress: the host is at an address that is not asked.
	ReasonAddress = "AddressRefused"
	// ReasonPlainHTTP: the host is not one that may be asked without TLS.
	ReasonPlainHTTP = "PlainHTTPRefused"
	// ReasonReference: not an image reference by digest.
	ReasonReference = "ReferenceInvalid"
	// ReasonSecret: a pull secret that cannot be read.
	ReasonSecret = "PullSecretInvalid" //nolint:gosec // a reason, not a credential
)

// Reasons of what is unknown.
const (
	// ReasonUnreachable: no connection, no TLS, or no whole answer in time.
	ReasonUnreachable = "RegistryUnreachable"
	// ReasonBusy: it asked to be asked later.
	ReasonBusy = "RegistryBusy"
	// ReasonFailing: it answered that it could not answer, or not what it was asked.
	ReasonFailing = "RegistryFailing"
)

// Error is why something is not known to be right. It never holds a credential.
type Error struct {
	// Unknown: nothing was learnt, and asking again may tell. Otherwise it is refused.
	Unknown bool
	// Reason in one word, one of the constants above.
	Reason string
	// Message in a sentence, with what to do where somebody can.
	Message string
	// RetryAfter is how long the registry asks to be left alone; 0 where it does not.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

func refused(reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func unknown(reason, format string, args ...any) *Error {
	return &Error{Unknown: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// IsNotFound says whether a registry answered that it has no such thing.
func IsNotFound(err error) bool { return reasonOf(err) == ReasonNotFound }

func reasonOf(err error) string {
	var told *Error
	if errors.As(err, &told) {
		return told.Reason
	}
	return ""
}

// explain makes an Error of what came of asking for something. nil stays nil.
func explain(what string, err error) error {
	var told *Error
	var answer *transport.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		about := *told
		about.Message = what + ": " + told.Message
		return &about
	case errors.As(err, &answer):
		return explainStatus(what, answer)
	case errors.Is(err, context.DeadlineExceeded):
		return unknown(ReasonUnreachable, "%s: the registry did not answer in time", what)
	case errors.Is(err, context.Canceled):
		return unknown(ReasonUnreachable, "%s: the operator stopped asking", what)
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return unknown(ReasonUnreachable, "%s: %s", what, clip(address.ReplaceAllString(err.Error(), "$1$2")))
}

// address is one in a text: its scheme, its host, and what stands around that. Where a
// redirect leads to may be signed, and is nobody's to read.
var address = regexp.MustCompile(`([a-z]+://)(?:[^\s"/?#]*@)?([^\s"/?#]*)[^\s"]*`)

func explainStatus(what string, answer *transport.Error) error {
	switch answer.StatusCode {
	case http.StatusNotFound:
		return refused(ReasonNotFound, "%s: the registry does not have it: push it there, or publish a release that names what is there", what)
	case http.StatusUnauthorized, http.StatusForbidden:
		return refused(ReasonDenied, "%s: the registry does not let it be read (%d): name a pull secret of this namespace that may in imagePullSecrets", what, answer.StatusCode)
	}
	text := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	for _, diagnostic := range answer.Errors {
		if code := string(diagnostic.Code); errorCode.MatchString(code) {
			text += ", " + code
			break
		}
	}
	return unknown(ReasonFailing, "%s: the registry answers %s", what, text)
}

// errorCode is all that is told of what a registry says of its failure: a server may
// answer with what it was asked, credentials included.
var errorCode = regexp.MustCompile(`^[A-Z_]{1,64}$`)

// clip bounds what somebody else's server can put into a message: one line of it.
func clip(text string) string {
	const longest = 512
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
