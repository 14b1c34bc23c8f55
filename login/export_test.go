package login

import "rely.example/internal/seal"

// ReturnTo is what becomes of a page that a stranger names.
func (m *Manager) ReturnTo(s string) string { return m.returnTo(s) }

// RingMinKey is what a key must have where it is used.
const RingMinKey = seal.MinKey

// Publish is what login hands to oidc as AuthParams.Publish.
var Publish = (*Manager).publish
