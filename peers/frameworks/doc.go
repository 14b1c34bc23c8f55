// Package frameworks shows package login in applications that are written with
// routers of others. Whatever speaks net/http needs nothing but Handler and
// Require.
package frameworks
