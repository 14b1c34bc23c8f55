package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"rely.example/store"
)

const (
	// cacheSize is how many bytes of records are cached for each connection, of
	// which there are a few to each server.
	cacheSize = 32 << 20

	// connectTimeout bounds the making of a connection.
	connectTimeout = 5 * time.Second

	// readTries is how often a read is sent again after its connection broke. A
	// write is never: it may have been done.
	readTries = 3

	// connLifetime is after how long a connection is made anew. A master that was
	// made a replica keeps its connections, and refuses writes on them for ever,
	// also once the name in the URL leads to another one.
	connLifetime = time.Minute
)

// Open connects to the servers of a URL. It returns an error if none can be
// reached, or if they are set up so that sessions could be lost.
//
//	redis://USER:PASSWORD@HOST:PORT/DATABASE   one server; rediss with TLS
//	redis://HOST:PORT?addr=HOST:PORT           a cluster, by some of its nodes
//	redis://HOST:PORT?master_set=NAME          a master, by its sentinels
//
// A single address of a cluster is enough; valkey, valkeys and unix are schemes
// as well. Further parameters: prefix stands before every key ("rely:" unless
// given), dial_timeout and write_timeout are durations.
//
// A server with a maxmemory evicts, unless its policy is noeviction, whatever it
// likes: then whoever begins logins in great number throws out sessions, and
// the tags by which a logout finds them. Open refuses such a server; with
// insecure_allow_eviction=1 it does not.
//
// No error names the password that a URL may hold.
func Open(ctx context.Context, rawURL string) (*Store, error) {
	return connect(ctx, rawURL, connLifetime)
}

func connect(ctx context.Context, rawURL string, lifetime time.Duration) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	options, err := rueidis.ParseURL(rawURL)
	if err != nil {
		// What a parser says of a URL quotes it, the password with it.
		return nil, errors.New(`redisstore: the URL cannot be understood, want "redis://USER:PASSWORD@HOST:PORT/DATABASE" or rediss, valkey, valkeys, unix`)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("redisstore: the URL cannot be understood")
	}
	q := u.Query()
	s := &Store{prefix: defaultPrefix}
	if q.Has("prefix") {
		s.prefix = q.Get("prefix")
	}
	if len(s.prefix) > store.MaxKey || strings.ContainsAny(s.prefix, "{}") {
		return nil, fmt.Errorf("redisstore: the prefix in the URL is longer than %d bytes or has a brace", store.MaxKey)
	}
	allowEviction := false
	if v := q.Get("insecure_allow_eviction"); v != "" {
		if allowEviction, err = strconv.ParseBool(v); err != nil {
			return nil, errors.New("redisstore: insecure_allow_eviction in the URL is neither 1 nor 0")
		}
	}
	if options.Dialer.Timeout == 0 {
		options.Dialer.Timeout = connectTimeout
	}
	if deadline, ok := ctx.Deadline(); ok {
		options.Dialer.Timeout = min(options.Dialer.Timeout, max(time.Until(deadline), time.Millisecond))
	}
	options.CacheSizeEachConn = cacheSize
	options.ConnLifetime = lifetime
	options.RetryDelay = func(attempts int, _ rueidis.Completed, _ error) time.Duration {
		if attempts > readTries {
			return -1
		}
		return time.Duration(attempts) * 10 * time.Millisecond
	}
	s.client, err = rueidis.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("redisstore: connect: %w", err)
	}
	if !allowEviction {
		if err := s.refuseEviction(ctx); err != nil {
			s.client.Close()
			return nil, err
		}
	}
	return s, nil
}

// refuseEviction asks every node how it makes room. One that does not let this
// user ask, as rented ones do, is taken as it is.
func (s *Store) refuseEviction(ctx context.Context) error {
	for addr, node := range s.client.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
		if _, refused := rueidis.IsRedisErr(err); refused {
			continue
		}
		if err := s.failed(ctx, "ask the server about its memory", err); err != nil {
			return err
		}
		var limit, policy string
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			switch name {
			case "maxmemory":
				limit = value
			case "maxmemory_policy":
				policy = value
			}
		}
		if limit != "" && limit != "0" && policy != "noeviction" {
			return fmt.Errorf("redisstore: %s evicts by the policy %q when it is full, so strangers could throw out sessions: set maxmemory-policy to noeviction, or insecure_allow_eviction=1 in the URL", addr, policy)
		}
	}
	return nil
}
