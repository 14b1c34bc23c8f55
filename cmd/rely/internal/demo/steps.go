package demo

import (
	"fmt"
	"strings"

	"rely.example/oidc"
)

// stepID names one section of the diagram: one of the six steps of a login, or
// what may follow it.
type stepID string

const (
	stepFind     stepID = "find"
	stepDiscover stepID = "discover"
	stepRegister stepID = "register"
	stepBegin    stepID = "begin"
	stepFinish   stepID = "finish"
	stepUserInfo stepID = "userinfo"
	stepRefresh  stepID = "refresh"
	stepRevoke   stepID = "revoke"
)

// step is what is said of a step before anything happens.
type step struct {
	ID       stepID
	Number   int // 1 to 6; 0 for what follows a login
	Title    string
	Sentence string
	Code     string // the line of Go that performs it
}

// loginSteps are the six steps of a login, with the code as it is for c.
func loginSteps(c choice) []step {
	return []step{
		{stepFind, 1, "Find the issuer",
			"WebFinger asks the host of what you typed which OpenID Provider its people log in at.",
			fmt.Sprintf("issuer, err := oidc.FindIssuer(ctx, %q, options)", c.Identifier)},
		{stepDiscover, 2, "Discover the provider",
			"The issuer publishes where its endpoints are and what it can do; its name must match to the letter.",
			"provider, err := oidc.Discover(ctx, issuer, options)"},
		{stepRegister, 3, "Register the client",
			"The relying party introduces itself once, and gets a client_id and a secret that no browser ever sees.",
			`registration, err := provider.Register(ctx, metadata, "")` + c.config()},
		{stepBegin, 4, "Send the browser to the OP",
			beginSentence(c.Push),
			"request, err := client.Begin(ctx, " + c.code() + ")"},
		{stepFinish, 5, "Finish the login",
			finishSentence(c.ResponseType),
			"tokens, err := client.Finish(ctx, request.Pending, response)"},
		{stepUserInfo, 6, "Ask who it is",
			"The access token opens the UserInfo endpoint; what it says must be about the same person as the ID Token.",
			"user, err := client.UserInfo(ctx, tokens)"},
	}
}

func beginSentence(push bool) string {
	if push {
		return "The relying party gives the request to the OP itself and gets a reference to it; the browser carries nothing else, and nobody on the way can read or change what is asked."
	}
	return "The browser carries the request: who asks, for what, and where to answer, with a state, a nonce and a PKCE challenge made for this login alone."
}

func finishSentence(responseType string) string {
	switch {
	case responseType == "code" || responseType == "":
		return "The browser brings a code back; the relying party checks the answer, exchanges the code, and checks every claim of the ID Token before it believes one."
	case responseType == "code token":
		return "The browser brings a code and an access token back; the relying party checks the answer, exchanges the code, and checks every claim of the ID Token."
	case strings.HasPrefix(responseType, "code "):
		return "The browser brings a code and an ID Token back; the relying party checks that token first, then exchanges the code, and checks the second ID Token too."
	}
	return "The browser itself brings the ID Token back; the relying party checks every claim of it before it believes one. The token endpoint is not used."
}

// laterStep is what may follow a login.
func laterStep(id stepID) step {
	switch id {
	case stepRefresh:
		return step{id, 0, "Refresh", "The refresh token gets new tokens while the person is away; they must be about the same person and the same login.",
			"tokens, err = client.Refresh(ctx, tokens)"}
	case stepRevoke:
		return step{id, 0, "Log out", "The relying party tells the OP that the tokens are no longer needed, and forgets them.",
			"err = client.RevokeTokens(ctx, tokens)"}
	}
	return step{ID: id, Title: string(id)}
}

// config is what the choice sets in the client's configuration, as Go.
func (c choice) config() string {
	var b strings.Builder
	if c.Push || c.Bind {
		b.WriteString("\nconfig := registration.ClientConfig()")
	}
	if c.Push {
		b.WriteString("\nconfig.PAR = oidc.PARAlways")
	}
	if c.Bind {
		b.WriteString("\nconfig.DPoP = oidc.DPoPES256()")
	}
	return b.String()
}

// code is the choice as a Go literal.
func (c choice) code() string {
	var fields []string
	if c.ResponseType != "" && c.ResponseType != "code" {
		fields = append(fields, fmt.Sprintf("ResponseType: %q", c.ResponseType))
	}
	if c.ResponseMode != "" {
		fields = append(fields, fmt.Sprintf("ResponseMode: %q", c.ResponseMode))
	}
	fields = append(fields, "Scopes: scopes")
	if c.AskAgain {
		fields = append(fields, `Prompt: []string{"login"}`)
	}
	return "oidc.AuthParams{" + strings.Join(fields, ", ") + "}"
}

// messageTitle is what an exchange with the OP is called on an arrow.
func messageTitle(step string) string {
	switch step {
	case oidc.StepWebFinger:
		return "WebFinger"
	case oidc.StepDiscovery:
		return "Metadata"
	case oidc.StepKeys:
		return "Key set"
	case oidc.StepRegistration:
		return "Registration"
	case oidc.StepPAR:
		return "Pushed request"
	case oidc.StepToken:
		return "Token request"
	case oidc.StepUserInfo:
		return "UserInfo"
	case oidc.StepRefresh:
		return "Refresh"
	case oidc.StepRevocation:
		return "Revocation"
	}
	return step
}

// ResponseTypes are the six of Core section 3, in the order of the menu.
func ResponseTypes() []string {
	return []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
}

// ResponseType is the one of them that was typed, in any order of its words, or "".
func ResponseType(typed string) string {
	for _, rt := range ResponseTypes() {
		if sameWords(rt, typed) {
			return rt
		}
	}
	return ""
}

// responseModes are the modes that a response type may ask for: query never
// carries a token (Multiple Response Types section 3).
func responseModes(responseType string) []string {
	if responseType == "code" {
		return []string{oidc.ModeQuery, oidc.ModeFragment, oidc.ModeFormPost, oidc.ModeJWT}
	}
	return []string{oidc.ModeFragment, oidc.ModeFormPost, oidc.ModeJWT}
}
