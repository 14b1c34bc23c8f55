// Package stores puts package login on every store that there is: what must hold
// on one must hold on all.
package stores
