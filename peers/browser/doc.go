// Package browser takes a real Chromium through package login: what browsers do
// about cookies, frames, fragments and the back button is theirs to say.
//
// The tests skip where there is no Chromium, and fail with RELY_REQUIRE=all.
package browser
