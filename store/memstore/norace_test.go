//go:build !race

package memstore

func raceEnabled() bool { return false }
