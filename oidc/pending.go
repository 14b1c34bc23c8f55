package oidc

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"rely.example/internal/strictjson"
)

// Pending is a login under way: what Finish compares the answer with. It holds
// secrets, so that printed, logged or marshalled to JSON it shows none; Export
// and ImportPending carry it through a store.
type Pending struct {
	Issuer, ClientID, RedirectURI string
	// State finds the Pending when the answer comes; Nonce ties the ID Token and
	// Verifier the code to this login. Each has 256 random bits.
	State, Nonce, Verifier string
	ResponseType           string
	// ResponseMode is the mode that the answer must come by.
	ResponseMode string
	Scopes       []string
	// MaxAge is what AuthParams.MaxAge was.
	MaxAge *time.Duration
	// ACR are the values of which the ID Token's acr must be one; empty: any.
	ACR []string
	// Claims are the values of which the named claims of the ID Token must be one,
	// as JSON: those that AuthParams.Claims asked for as essential with a value.
	Claims  map[string][]json.RawMessage
	Created time.Time
	// Resources are AuthParams.Resources, which the code is exchanged for.
	Resources []string
	// DetailTypes are the types of AuthParams.AuthorizationDetails: what is
	// granted must be of one of them.
	DetailTypes []string
	// DPoP is the key that the tokens of this login will be bound to; nil without
	// DPoP.
	DPoP *DPoPKey
}

// pendingExport is the form in which a Pending is kept. Its names are short,
// since it may travel in a cookie.
type pendingExport struct {
	Issuer       string                       `json:"iss"`
	ClientID     string                       `json:"cid"`
	RedirectURI  string                       `json:"uri"`
	State        string                       `json:"st"`
	Nonce        string                       `json:"n"`
	Verifier     string                       `json:"v,omitempty"`
	ResponseType string                       `json:"rt"`
	ResponseMode string                       `json:"rm"`
	Scopes       []string                     `json:"sc,omitempty"`
	MaxAge       *int64                       `json:"ma,omitempty"` // in nanoseconds
	ACR          []string                     `json:"acr,omitempty"`
	Claims       map[string][]json.RawMessage `json:"cl,omitempty"`
	Created      time.Time                    `json:"t"`
	Resources    []string                     `json:"rs,omitempty"`
	DetailTypes  []string                     `json:"ad,omitempty"`
	DPoP         string                       `json:"dk,omitempty"`
}

// Export returns the Pending with its secrets, for a store that keeps them from
// other eyes.
func (p Pending) Export() ([]byte, error) {
	key, err := p.DPoP.export()
	if err != nil {
		return nil, &InputError{Reason: BadParameter, Field: "Pending.DPoP", Detail: "the key cannot be exported", Err: err}
	}
	return json.Marshal(pendingExport{
		Issuer: p.Issuer, ClientID: p.ClientID, RedirectURI: p.RedirectURI,
		State: p.State, Nonce: p.Nonce, Verifier: p.Verifier,
		ResponseType: p.ResponseType, ResponseMode: p.ResponseMode, Scopes: p.Scopes,
		MaxAge: (*int64)(p.MaxAge), ACR: p.ACR, Claims: p.Claims, Created: p.Created,
		Resources: p.Resources, DetailTypes: p.DetailTypes, DPoP: key,
	})
}

// ImportPending reads what Export wrote.
func ImportPending(data []byte) (Pending, error) {
	var x pendingExport
	if err := strictjson.Unmarshal(data, &x); err != nil || x.State == "" || x.Issuer == "" {
		return Pending{}, &InputError{Reason: BadParameter, Field: "pending", Detail: "it was not written by Export", Err: err}
	}
	key, err := importDPoPKey(x.DPoP)
	if err != nil {
		return Pending{}, err
	}
	return Pending{
		Issuer: x.Issuer, ClientID: x.ClientID, RedirectURI: x.RedirectURI,
		State: x.State, Nonce: x.Nonce, Verifier: x.Verifier,
		ResponseType: x.ResponseType, ResponseMode: x.ResponseMode, Scopes: x.Scopes,
		MaxAge: (*time.Duration)(x.MaxAge), ACR: x.ACR, Claims: x.Claims, Created: x.Created,
		Resources: x.Resources, DetailTypes: x.DetailTypes, DPoP: key,
	}, nil
}

// Format prints what identifies the login, and no secret.
func (p Pending) Format(f fmt.State, _ rune) {
	redact(f, "oidc.Pending", "Issuer", p.Issuer, "ClientID", p.ClientID, "ResponseType", p.ResponseType, "State", present(p.State))
}

// LogValue is what slog logs: no secret.
func (p Pending) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", p.Issuer), slog.String("client_id", p.ClientID),
		slog.String("response_type", p.ResponseType), slog.Time("created", p.Created))
}

// MarshalJSON writes the Pending without its secrets; Export keeps them.
func (p Pending) MarshalJSON() ([]byte, error) {
	p.State, p.Nonce, p.Verifier = maskedIfPresent(p.State), maskedIfPresent(p.Nonce), maskedIfPresent(p.Verifier)
	p.DPoP = nil
	return p.Export()
}
