package login

// ReturnTo is what becomes of a page that a stranger names.
func (m *Manager) ReturnTo(s string) string { return m.returnTo(s) }
