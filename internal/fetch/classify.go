package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// classify turns what a transport returned instead of a response into an Error.
func classify(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok { // the guard's, from within the dial
		return &Error{Kind: e.Kind, Detail: e.Detail, Err: e.Err}
	}
	if e := classifyTLS(err); e != nil {
		return e
	}
	if e := classifyContext(err); e != nil {
		return e
	}
	text := err.Error()
	switch {
	// net/http has no types for these; the tests hold it to its words.
	case strings.Contains(text, "server response headers exceeded"),
		strings.Contains(text, "response header list larger than advertised limit"),
		strings.Contains(text, "1xx informational responses too large"):
		return &Error{Kind: TooLarge, Err: err, Detail: "the header of the response is larger than the limit"}
	case strings.Contains(text, "malformed"),
		strings.Contains(text, "multiple Content-Length"),
		strings.Contains(text, "connection error: "), // HTTP/2, RFC 9113, section 5.4.1
		strings.Contains(text, "bad Content-Length"),
		strings.Contains(text, "too many transfer encodings"),
		strings.Contains(text, "unsupported transfer encoding"):
		return &Error{Kind: BadResponse, Err: err, Detail: "the response is not valid HTTP"}
	case strings.Contains(text, "invalid header field"), strings.Contains(text, "invalid method"):
		return &Error{Kind: BadRequest, Err: err, Detail: "the request has an invalid method or header field"}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return &Error{Kind: Unreachable, Err: err, Detail: fmt.Sprintf("the name %s is unknown to the name server", clip(e.Name, 256))}
		}
		return &Error{Kind: Unreachable, Err: err, Detail: fmt.Sprintf("the name %s could not be looked up: %s", clip(e.Name, 256), e.Err)}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return &Error{Kind: Unreachable, Err: err, Detail: fmt.Sprintf("no connection: %v", e)}
	}
	return &Error{Kind: Unreachable, Err: err, Detail: "the connection ended before a response: " + clip(text, 256)}
}

// classifyRead turns a failure within a body into an Error.
func classifyRead(err error) *Error {
	if e := classifyContext(err); e != nil {
		return e
	}
	text := err.Error()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: Truncated, Err: err, Detail: "the body ended before its announced length"}
	case strings.Contains(text, "chunk"), strings.Contains(text, "trailer"):
		return &Error{Kind: BadResponse, Err: err, Detail: "the body is not valid HTTP"}
	}
	return &Error{Kind: Truncated, Err: err, Detail: "the connection ended within the body: " + clip(text, 256)}
}

// classifyContext recognises the end of the caller's patience.
func classifyContext(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{Kind: Canceled, Err: err, Detail: "the caller gave up"}
	}
	timeout, ok := errors.AsType[net.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || ok && timeout.Timeout() {
		return &Error{Kind: Timeout, Err: err, Detail: "no complete answer in time (" + clip(err.Error(), 256) + ")"}
	}
	return nil
}

// classifyTLS recognises what is wrong with who answered, as against no answer.
func classifyTLS(err error) *Error {
	fail := func(format string, args ...any) *Error {
		return &Error{Kind: TLS, Err: err, Detail: fmt.Sprintf(format, args...)}
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fail("the certificate is for %s, not for %s (RFC 9525)", certificateNames(e.Certificate), clip(e.Host, 256))
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if e.Reason == x509.Expired && e.Cert != nil {
			return fail("the certificate is valid from %s to %s only", e.Cert.NotBefore.UTC().Format(time.RFC3339), e.Cert.NotAfter.UTC().Format(time.RFC3339))
		}
		return fail("the certificate is invalid: %s", clip(e.Error(), 256))
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fail("the certificate is signed by an authority that this machine does not trust; if it is your own, give its root to the transport in HTTP")
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fail("the certificate does not verify: %s", clip(e.Err.Error(), 256))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &Error{Kind: Unreachable, Err: err, Detail: "the server does not answer in TLS: want https on this port"}
	}
	// crypto/tls has no exported type for an alert that it received.
	switch text := err.Error(); {
	case strings.Contains(text, "protocol version"):
		return fail("the server speaks no TLS version from 1.2 on (RFC 9325, section 3.1.1)")
	case strings.Contains(text, "remote error: tls:") && strings.Contains(text, "certificate"):
		return fail("the server wants another client certificate: %s", clip(text, 256))
	}
	return nil
}

// certificateNames lists what a certificate is for, a few of them.
func certificateNames(c *x509.Certificate) string {
	if c == nil {
		return "another host"
	}
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return clip(strings.Join(names[:min(len(names), 5)], ", "), 256)
}
