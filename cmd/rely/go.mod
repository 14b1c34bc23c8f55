module rely.example/cmd/rely

go 1.26.0

require (
	rely.example v0.0.0

	// What rely store check opens.
	rely.example/store/redisstore v0.0.0
	rely.example/store/sqlstore v0.0.0
)

require (
	// One refresh at a time: a lock on a file that other processes respect.
	github.com/gofrs/flock v0.13.2

	// How many cells a text takes in a terminal, for columns of names in any script.
	github.com/mattn/go-runewidth v0.0.31

	// QR codes, for a login that goes on at a telephone.
	github.com/piglig/go-qr v1.1.0

	// Commands, flags, help, completion for four shells and manual pages.
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.1.0

	// The keychain of macOS, Windows and the Secret Service, for the key that
	// seals the profiles.
	github.com/zalando/go-keyring v0.2.8

	// Is it a terminal, how wide is it, and reading from it without echo.
	golang.org/x/term v0.47.0
)

// Test dependencies: scripts that a person can read, and a browser for the page
// of the demo.
require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/rogpeppe/go-internal v1.16.0
)

require (
	github.com/clipperhouse/uax29/v2 v2.2.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.6 // indirect
	github.com/danieljoos/wincred v1.2.3 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/godbus/dbus/v5 v5.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/pgx/v5 v5.12.0 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.41.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	modernc.org/libc v1.80.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
	modernc.org/sqlite v1.62.0 // indirect
)

replace rely.example => ../..

replace rely.example/store/redisstore => ../../store/redisstore

replace rely.example/store/sqlstore => ../../store/sqlstore
