//go:build race

package stores

// callbacks is how many there are at once. The race detector knows no more than
// 8128 goroutines at a time, some of which are the stores'.
const callbacks = 2000
