// Package conformance holds tests alone: for every module with which the
// conformance suite of the OpenID Foundation tests a Relying Party, one test of
// the same name, which makes a provider of package oidctest do what the suite's
// provider does in that module, and asserts what Rely does about it: the Reason
// of its refusal and that nothing was sent afterwards, or that the login
// completes by exactly the calls that the module waits for.
//
// It is an emulation of our own making, written from what the modules do. The
// suite itself does not run here, and passing these tests is no certification.
// docs/conformance.md lists the modules with what is asserted in each.
//
// A module runs with each combination of response type and response mode that it
// applies to, while the other parameters of its plan take turns. With
// RELY_CONFORMANCE=all in the environment it runs with every combination of all
// of them, as often as the plans of the suite do.
package conformance
