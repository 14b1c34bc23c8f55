module rely.example/store/redisstore

go 1.26.0

require rely.example v0.0.0

// The client of Redis and Valkey that caches here what the server promises to
// invalidate, and knows sentinels and clusters. Apache-2.0.
require github.com/redis/rueidis v1.0.79

require golang.org/x/sys v0.47.0 // indirect

replace rely.example => ../..
