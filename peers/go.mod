module rely.example/peers

go 1.26.0

require rely.example v0.0.0

replace rely.example => ..
