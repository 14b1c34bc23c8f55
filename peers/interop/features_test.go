package interop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// TestFindIssuer finds every OP that answers WebFinger from what a user types.
func TestFindIssuer(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return c.WebFinger }, func(t *testing.T, o *interop.OP) {
		host := strings.TrimPrefix(o.Issuer, "https://")
		for name, identifier := range map[string]string{
			"account": "acct:" + o.User.Username + "@" + host,
			"host":    host,
			"url":     o.Issuer + "/" + o.User.Username,
		} {
			t.Run(name, func(t *testing.T) {
				issuer, err := oidc.FindIssuer(t.Context(), identifier, rp{o: o}.options())
				if err != nil || issuer != o.Issuer {
					t.Errorf("FindIssuer(%q) = %q, %v; want %q", identifier, issuer, err, o.Issuer)
				}
			})
		}
	})
}

// TestMetadata compares what an OP announces with what this package says that
// it has.
func TestMetadata(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		p, err := oidc.Discover(t.Context(), o.Issuer, rp{o: o}.options())
		if err != nil {
			t.Fatal(err)
		}
		md, has := p.Metadata(), o.Peer.Has
		for _, want := range has.ResponseTypes {
			if !slices.ContainsFunc(md.ResponseTypesSupported, func(s string) bool { return sameWords(s, want) }) {
				t.Errorf("response type %q is not announced: %q", want, md.ResponseTypesSupported)
			}
		}
		for _, want := range has.IDTokenAlgs {
			if !slices.Contains(md.IDTokenSigningAlgValuesSupported, want) {
				t.Errorf("ID Tokens under %s are not announced: %q", want, md.IDTokenSigningAlgValuesSupported)
			}
		}
		for _, want := range has.UserInfoAlgs {
			if !slices.Contains(md.UserInfoSigningAlgValuesSupported, want) {
				t.Errorf("UserInfo under %s is not announced: %q", want, md.UserInfoSigningAlgValuesSupported)
			}
		}
		for _, want := range has.Grants {
			if !slices.Contains(md.GrantTypesSupported, want) {
				t.Errorf("grant %s is not announced: %q", want, md.GrantTypesSupported)
			}
		}
		if !slices.Equal(md.BackchannelTokenDeliveryModesSupported, has.CIBA.Modes) {
			t.Errorf("backchannel logins by %q are announced, want %q", md.BackchannelTokenDeliveryModesSupported, has.CIBA.Modes)
		}
		if got := slices.Contains(md.ResponseModesSupported, oidc.ModeFormPost); got != (has.FormPost && !o.Peer.Needs(interop.NamedModes)) {
			t.Errorf("form_post announced: %t", got)
		}
		if got := md.RegistrationEndpoint != ""; got != (len(has.Registration) > 0) {
			t.Errorf("registration announced: %t", got)
		}
		if got := md.RevocationEndpoint != ""; got != has.Revocation {
			t.Errorf("revocation announced: %t", got)
		}
		if got := md.AuthorizationResponseIssParameterSupported; got != has.ResponseIssuer {
			t.Errorf("iss in the response announced: %t", got)
		}
	})
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// TestCombinations has metadata and client each found by a request and written
// by hand: every mix logs in.
func TestCombinations(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.Registration) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		discovered := r.provider(t)
		md := discovered.Metadata()
		byHand, err := oidc.NewProvider(oidc.ProviderMetadata{
			Issuer:                            md.Issuer,
			AuthorizationEndpoint:             md.AuthorizationEndpoint,
			TokenEndpoint:                     md.TokenEndpoint,
			UserInfoEndpoint:                  md.UserInfoEndpoint,
			JWKSURI:                           md.JWKSURI,
			RegistrationEndpoint:              md.RegistrationEndpoint,
			TokenEndpointAuthMethodsSupported: []string{oidc.AuthSecretBasic},
		}, r.options())
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string]*oidc.Provider{"discovered": discovered, "by_hand": byHand} {
			t.Run(name+"/registered", func(t *testing.T) {
				c := r.client(t, p, r.register(t, p, "code", r.metadata(t, "code")).ClientConfig())
				logIn(t, o, c)
			})
			t.Run(name+"/known", func(t *testing.T) {
				logIn(t, o, r.known(t, p, "rely-client_secret_basic"))
			})
		}
	})
}

// logIn logs in by the code flow and asks for UserInfo.
func logIn(t *testing.T, o *interop.OP, c *oidc.Client) *oidc.Tokens {
	t.Helper()
	tokens, err := login{responseType: "code"}.run(t, o, c)
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	checkUserInfo(t, o, c, tokens)
	return tokens
}

// TestPostedRequest sends the authentication request as a form.
func TestPostedRequest(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		if _, err := (login{responseType: "code", post: true}).run(t, o, c); err != nil {
			t.Errorf("Finish: %v", err)
		}
	})
}

// TestClientAuthentication authenticates at the token endpoint by every method
// that the OP has.
func TestClientAuthentication(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, method := range o.Peer.Has.AuthMethods {
			t.Run(method, func(t *testing.T) {
				logIn(t, o, r.known(t, p, "rely-"+method))
			})
		}
	})
}

// TestSpecialSecret authenticates with a secret that percent-encoding changes.
func TestSpecialSecret(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		logIn(t, o, r.known(t, r.provider(t), "rely-special"))
	})
}

// TestManagement reads, changes and ends a registration (RFC 7592).
func TestManagement(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return c.Management.Read }, func(t *testing.T, o *interop.OP) {
		r, has := rp{o: o}, o.Peer.Has.Management
		p := r.provider(t)
		m := r.metadata(t, "code")
		first := r.register(t, p, "code", m)
		if first.URI == "" || first.AccessToken == "" {
			t.Fatalf("the registration cannot be managed: %v", first)
		}
		read, err := p.ReadRegistration(t.Context(), first)
		if err != nil {
			t.Fatalf("ReadRegistration: %v", err)
		}
		if read.ClientID != first.ClientID || !slices.Equal(read.Metadata.RedirectURIs, m.RedirectURIs) {
			t.Errorf("read %v, want %v", read, first)
		}
		logIn(t, o, r.client(t, p, read.ClientConfig()))
		if !has.Update {
			var refused *oidc.OPError
			if _, err := p.UpdateRegistration(t.Context(), read, m); !errors.As(err, &refused) {
				t.Errorf("UpdateRegistration: %v, want an *OPError", err)
			}
			return
		}
		m.ClientName = "Rely, renamed"
		updated, err := p.UpdateRegistration(t.Context(), read, m)
		if err != nil {
			t.Fatalf("UpdateRegistration: %v", err)
		}
		if updated.Metadata.ClientName != m.ClientName {
			t.Errorf("client_name = %q after the update, want %q", updated.Metadata.ClientName, m.ClientName)
		}
		if rotated := updated.AccessToken != first.AccessToken; rotated != has.Rotates {
			t.Errorf("registration access token changed: %t, want %t", rotated, has.Rotates)
		}
		logIn(t, o, r.client(t, p, updated.ClientConfig()))
		if err := p.DeleteRegistration(t.Context(), updated); err != nil {
			t.Fatalf("DeleteRegistration: %v", err)
		}
		var refused *oidc.OPError
		if _, err := p.ReadRegistration(t.Context(), updated); !errors.As(err, &refused) {
			t.Errorf("ReadRegistration after the end: %v, want an *OPError", err)
		}
	})
}

// TestIDTokenAlgorithm registers for each signature algorithm and gets an ID
// Token under it.
func TestIDTokenAlgorithm(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.IDTokenAlgs) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, alg := range o.Peer.Has.IDTokenAlgs {
			t.Run(alg, func(t *testing.T) {
				m := r.metadata(t, "code")
				m.IDTokenSignedResponseAlg = alg
				c := r.client(t, p, r.register(t, p, "code", m).ClientConfig())
				if got := logIn(t, o, c).IDToken.Algorithm(); got != alg {
					t.Errorf("the ID Token is under %s, want %s", got, alg)
				}
			})
		}
	})
}

// TestSignedUserInfo registers for UserInfo as a signed JWT.
func TestSignedUserInfo(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.UserInfoAlgs) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, alg := range o.Peer.Has.UserInfoAlgs {
			t.Run(alg, func(t *testing.T) {
				m := r.metadata(t, "code")
				m.UserInfoSignedResponseAlg = alg
				c := r.client(t, p, r.register(t, p, "code", m).ClientConfig())
				tokens := logIn(t, o, c)
				info, err := c.UserInfo(t.Context(), tokens)
				if err != nil {
					t.Fatal(err)
				}
				if !info.Signed {
					t.Error("UserInfo is not signed")
				}
			})
		}
	})
}

// TestEncryption registers for ID Tokens and UserInfo that are signed and then
// encrypted for the client (Core 10.2).
func TestEncryption(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.Encryption) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, pair := range o.Peer.Has.Encryption {
			t.Run(pair[0]+"/"+pair[1], func(t *testing.T) {
				key := encryptionKey(t, pair[0])
				jwks, err := oidc.PublicJWKS(key)
				if err != nil {
					t.Fatal(err)
				}
				m := r.metadata(t, "code")
				m.JWKS = jwks
				m.IDTokenSignedResponseAlg, m.UserInfoSignedResponseAlg = "RS256", "RS256"
				m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc = pair[0], pair[1]
				m.UserInfoEncryptedResponseAlg, m.UserInfoEncryptedResponseEnc = pair[0], pair[1]
				tokens := logIn(t, o, r.client(t, p, r.register(t, p, "code", m).ClientConfig(key)))
				if parts := strings.Count(tokens.IDToken.Raw(), ".") + 1; parts != 5 {
					t.Errorf("the ID Token has %d parts, want the 5 of an encrypted one", parts)
				}
			})
		}
	})
}

// encryptionKey makes a key for a key management algorithm.
func encryptionKey(t *testing.T, alg string) oidc.Key {
	t.Helper()
	k := oidc.Key{ID: "rely-encryption-key", Alg: alg, Use: "enc"}
	var err error
	if strings.HasPrefix(alg, "RSA") {
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestMaxAge asks for a recent login and gets auth_time.
func TestMaxAge(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		age := 10 * time.Minute
		tokens, err := login{responseType: "code", maxAge: &age}.run(t, o, c)
		if !o.Peer.Has.AuthTime {
			if !errors.Is(err, oidc.BadAuthTime) {
				t.Errorf("Finish: %v, want %v", err, oidc.BadAuthTime)
			}
			return
		}
		if err != nil {
			t.Fatalf("Finish: %v", err)
		}
		if since := time.Since(tokens.IDToken.AuthTime); since > age {
			t.Errorf("the user logged in %v ago", since)
		}
	})
}

// TestSecondLogin logs in twice in one browser, which the OP then knows.
func TestSecondLogin(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		b := o.NewBrowser()
		var subjects []string
		for range 2 {
			pending, answer := login{responseType: "code"}.visit(t, c, b)
			tokens, err := c.Finish(t.Context(), pending, answer)
			if err != nil {
				t.Fatalf("Finish: %v", err)
			}
			subjects = append(subjects, tokens.IDToken.Subject)
		}
		if subjects[0] != subjects[1] {
			t.Errorf("subjects %q, want one", subjects)
		}
	})
}

// TestManyAtOnce logs many users' browsers in at the same time by one client,
// whose keys nobody has fetched yet, and finds no login mixed up with another.
func TestManyAtOnce(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return !c.OneAtATime }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		var wait sync.WaitGroup
		defer wait.Wait()
		for range 8 {
			wait.Go(func() {
				request, err := c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code"})
				if err != nil {
					t.Errorf("Begin: %v", err)
					return
				}
				delivery, err := o.NewBrowser().Visit(t.Context(), request.URL())
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := oidc.ReadAuthURL(delivery.URL.String())
				if err != nil {
					t.Errorf("ReadAuthURL: %v", err)
					return
				}
				tokens, err := c.Finish(t.Context(), request.Pending, answer)
				if err != nil {
					t.Errorf("Finish: %v", err)
					return
				}
				if tokens.IDToken.Nonce != request.Pending.Nonce {
					t.Error("the ID Token is of another login")
				}
			})
		}
	})
}

// TestRefusals asks for what an OP has to refuse, and reads the refusal.
func TestRefusals(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		t.Run("code_used_twice", func(t *testing.T) {
			pending, answer := login{responseType: "code"}.visit(t, c, o.NewBrowser())
			if _, err := c.Finish(t.Context(), pending, answer); err != nil {
				t.Fatalf("Finish: %v", err)
			}
			wantRefusal(t, c, pending, answer)
		})
		t.Run("wrong_verifier", func(t *testing.T) {
			pending, answer := login{responseType: "code"}.visit(t, c, o.NewBrowser())
			pending.Verifier = strings.Repeat("x", len(pending.Verifier))
			if !o.Peer.Has.PKCE {
				if _, err := c.Finish(t.Context(), pending, answer); err != nil {
					t.Errorf("Finish: %v; want that the verifier does not matter", err)
				}
				return
			}
			wantRefusal(t, c, pending, answer)
		})
		t.Run("nobody_logged_in", func(t *testing.T) {
			if o.Peer.Has.NoPrompt == "" {
				return // our program around the library logs everyone in
			}
			pending, answer := login{responseType: "code", prompt: []string{"none"}}.visit(t, c, o.NewBrowser())
			_, err := c.Finish(t.Context(), pending, answer)
			if refused, ok := errors.AsType[*oidc.OPError](err); !ok || refused.Code != o.Peer.Has.NoPrompt {
				t.Errorf("Finish: %v, want %s", err, o.Peer.Has.NoPrompt)
			}
		})
		t.Run("wrong_secret", func(t *testing.T) {
			known, _ := o.Client("rely-client_secret_basic")
			known.Secret += "x"
			wrong := r.client(t, c.Provider(), registration(known).ClientConfig())
			pending, answer := login{responseType: "code"}.visit(t, wrong, o.NewBrowser())
			wantRefusal(t, wrong, pending, answer)
		})
	})
}

// wantRefusal finishes a login and wants the OP to have refused it, for good.
func wantRefusal(t *testing.T, c *oidc.Client, p oidc.Pending, a oidc.AuthResponse) {
	t.Helper()
	tokens, err := c.Finish(t.Context(), p, a)
	var refused *oidc.OPError
	if !errors.As(err, &refused) || refused.Temporary() {
		t.Errorf("Finish: %v; want a final *OPError", err)
	}
	if tokens != nil {
		t.Error("Finish returned tokens beside the error")
	}
}
