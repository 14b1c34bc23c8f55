module rely.example/examples

go 1.26.0

require rely.example v0.0.0

require github.com/go-jose/go-jose/v4 v4.1.9 // indirect

replace rely.example => ..
