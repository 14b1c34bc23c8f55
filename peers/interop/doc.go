// Package interop starts OpenID Providers that were not written here and logs
// in to them as a browser would, so that the Relying Party is tested against
// what others made of the specifications.
//
// [Peers] lists the OPs and what each of them has. [Peer.Start] runs one as a
// child process on a free loopback port, behind TLS from an [Authority] made
// for the occasion, and ends it with the test. [Browser] carries an
// authentication request to it and brings back what would have been delivered
// to the redirect URI.
//
// An OP whose runtime or package is not on the machine makes its test skip with
// the reason. With RELY_REQUIRE=all in the environment the test fails instead:
// peers/interop/install.sh installs all of them.
package interop
