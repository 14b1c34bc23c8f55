//go:build !race

package sqlstore

func raceEnabled() bool { return false }
