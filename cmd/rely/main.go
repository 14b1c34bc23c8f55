// Command rely is an OpenID Connect Relying Party for the terminal.
package main

func main() {}
