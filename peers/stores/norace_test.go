//go:build !race

package stores

// callbacks is how many there are at once.
const callbacks = 10_000
