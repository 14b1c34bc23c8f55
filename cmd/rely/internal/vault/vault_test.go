package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/cmd/rely/internal/vault"
)

// keychain is one in memory. Err, if not nil, is what it answers.
type keychain struct {
	mu   sync.Mutex
	key  []byte
	err  error
	sets int
}

func (k *keychain) Get(context.Context, time.Duration) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return nil, k.err
	}
	if k.key == nil {
		return nil, vault.ErrNoKey
	}
	return bytes.Clone(k.key), nil
}

func (k *keychain) Set(_ context.Context, _ time.Duration, key []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.key = bytes.Clone(key)
	k.sets++
	return nil
}

const secret = `{"token":"s3cret-token"}`

func record() *vault.Record {
	return &vault.Record{Public: json.RawMessage(`{"issuer":"https://op.example"}`), Secret: []byte(secret)}
}

func newVault(t *testing.T, k vault.Keychain) *vault.Vault {
	t.Helper()
	return &vault.Vault{Dir: filepath.Join(t.TempDir(), "sub", "rely"), Keychain: k}
}

func save(t *testing.T, v *vault.Vault, name string) {
	t.Helper()
	if err := v.Save(t.Context(), name, record()); err != nil {
		t.Fatal(err)
	}
}

func file(v *vault.Vault, name string) string { return filepath.Join(v.Dir, name+".json") }

func TestRoundTrip(t *testing.T) {
	for name, k := range map[string]vault.Keychain{"in the clear": nil, "sealed": &keychain{}} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t, k)
			if _, err := v.Load(t.Context(), "work"); !errors.Is(err, vault.ErrNotFound) {
				t.Fatalf("before: %v, want ErrNotFound", err)
			}
			save(t, v, "work")
			r, err := v.Load(t.Context(), "work")
			if err != nil {
				t.Fatal(err)
			}
			if string(r.Secret) != secret || r.Sealed != (k != nil) {
				t.Fatalf("loaded %s, sealed %v", r.Secret, r.Sealed)
			}
			onDisk, err := os.ReadFile(file(v, "work"))
			if err != nil {
				t.Fatal(err)
			}
			if got := bytes.Contains(onDisk, []byte("s3cret-token")); got != (k == nil) {
				t.Fatalf("the secret is readable in the file: %v", got)
			}
			if err := v.Delete("work"); err != nil {
				t.Fatal(err)
			}
			if err := v.Delete("work"); err != nil {
				t.Fatalf("the second time: %v", err)
			}
		})
	}
}

func TestSealedRecordIsBoundToItsNameAndPublicHalf(t *testing.T) {
	v := newVault(t, &keychain{})
	save(t, v, "work")
	b, err := os.ReadFile(file(v, "work"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() (string, []byte){
		"renamed": func() (string, []byte) { return "other", b },
		"another issuer": func() (string, []byte) {
			return "work", bytes.Replace(b, []byte("op.example"), []byte("ev.example"), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			profile, content := change()
			if err := os.WriteFile(file(v, profile), content, 0o600); err != nil {
				t.Fatal(err)
			}
			if r, err := v.Load(t.Context(), profile); err == nil || r.Secret != nil {
				t.Fatal("it opened")
			}
		})
	}
}

func TestSealedRecordIsNeverWrittenInTheClear(t *testing.T) {
	k := &keychain{}
	v := newVault(t, k)
	save(t, v, "work")
	r, err := v.Load(t.Context(), "work")
	if err != nil {
		t.Fatal(err)
	}
	k.err = errors.New("the keychain is locked")
	// What was opened can be closed again: a refreshed token is not lost.
	r.Secret = []byte(`{"token":"the next"}`)
	if err := v.Save(t.Context(), "work", &r); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file(v, "work")); err != nil || bytes.Contains(b, []byte("the next")) {
		t.Fatalf("written in the clear (%v)", err)
	}
	if _, err := v.Load(t.Context(), "work"); err == nil {
		t.Fatal("opened without the key")
	}
	blind := record()
	blind.Sealed = true
	if err := v.Save(t.Context(), "work", blind); err == nil {
		t.Fatal("saved without the key")
	}
}

func TestKeychainThatFails(t *testing.T) {
	k := &keychain{err: errors.New("no service")}
	v := newVault(t, k)
	save(t, v, "work")
	if r, err := v.Load(t.Context(), "work"); err != nil || r.Sealed {
		t.Fatalf("sealed %v, %v; want in the clear", r.Sealed, err)
	}
	v.RequireKeychain = true
	if err := v.Save(t.Context(), "strict", record()); err == nil {
		t.Fatal("saved in the clear although a keychain is required")
	}
	if _, err := os.Stat(file(v, "strict")); err == nil {
		t.Fatal("a file was written")
	}
}

func TestOneKeyForTwoProcesses(t *testing.T) {
	k := &keychain{}
	v := newVault(t, k)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "keychain"} {
		wg.Go(func() {
			unlock, err := v.Lock(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if err := v.Save(t.Context(), name, record()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if k.sets != 1 {
		t.Fatalf("%d keys were made, want 1", k.sets)
	}
	for _, name := range []string{"a", "b", "c", "keychain"} {
		if _, err := v.Load(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and links are of Unix")
	}
	t.Run("333_modes", func(t *testing.T) {
		v := newVault(t, nil)
		save(t, v, "work")
		for path, want := range map[string]os.FileMode{v.Dir: 0o700, file(v, "work"): 0o600} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %04o, want %04o", path, info.Mode().Perm(), want)
			}
		}
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
			if err := os.Chmod(file(v, "work"), mode); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Load(t.Context(), "work"); err == nil || !strings.Contains(err.Error(), "open to other users") {
				t.Errorf("mode %04o: %v", mode, err)
			}
		}
	})
	t.Run("333_open_directory", func(t *testing.T) {
		v := newVault(t, nil)
		save(t, v, "work")
		if err := os.Chmod(v.Dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Load(t.Context(), "work"); err == nil {
			t.Error("read from a directory that others can write to")
		}
		if err := v.Save(t.Context(), "work", record()); err == nil {
			t.Error("saved to a directory that others can write to")
		}
	})
	t.Run("333_symbolic_link", func(t *testing.T) {
		v := newVault(t, nil)
		save(t, v, "work")
		target := filepath.Join(t.TempDir(), "target")
		if err := os.Rename(file(v, "work"), target); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, file(v, "work")); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Load(t.Context(), "work"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Fatalf("Load returned %v", err)
		}
		before, err := os.ReadFile(target)
		if err != nil {
			t.Fatal(err)
		}
		// Saving replaces the link and not what it leads to.
		r := record()
		r.Secret = []byte(`{"token":"another"}`)
		if err := v.Save(t.Context(), "work", r); err != nil {
			t.Fatal(err)
		}
		if after, err := os.ReadFile(target); err != nil || !bytes.Equal(before, after) {
			t.Fatal("the target of the link was written to")
		}
		if _, err := v.Load(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("333_partial_write", func(t *testing.T) {
		v := newVault(t, nil)
		save(t, v, "work")
		before, err := os.ReadFile(file(v, "work"))
		if err != nil {
			t.Fatal(err)
		}
		big := record()
		big.Secret = []byte(`"` + strings.Repeat("x", 5<<20) + `"`)
		if err := v.Save(t.Context(), "work", big); err == nil {
			t.Fatal("a record beyond the bound was saved")
		}
		bad := record()
		bad.Secret = []byte("{half")
		if err := v.Save(t.Context(), "work", bad); err == nil {
			t.Fatal("a record that is no JSON was saved")
		}
		if after, err := os.ReadFile(file(v, "work")); err != nil || !bytes.Equal(before, after) {
			t.Fatal("a failed save changed the file")
		}
		entries, err := os.ReadDir(v.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Fatalf("a failed save left %v behind", entries)
		}
		for _, content := range []string{"", "{", `{"rely":1}`, string(before[:len(before)/2]), `{"rely":2,"public":{},"secret":{}}`, `{"rely":1,"public":{},"secret":{},"sealed":"AA=="}`} {
			if err := os.WriteFile(file(v, "work"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if r, err := v.Load(t.Context(), "work"); err == nil || r.Secret != nil {
				t.Errorf("%q was read as a record", content)
			}
		}
	})
	t.Run("335_lock", func(t *testing.T) {
		v := newVault(t, nil)
		unlock, err := v.Lock(t.Context(), "work")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := v.Lock(ctx, "work"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the second lock: %v, want a timeout", err)
		}
		unlock()
		again, err := v.Lock(t.Context(), "work")
		if err != nil {
			t.Fatal(err)
		}
		again()
	})
}

func TestNames(t *testing.T) {
	v := newVault(t, nil)
	for _, bad := range []string{"", ".", "..", "../x", "a/b", `a\b`, "A", "a b", "a:b", "-a", "a.", strings.Repeat("a", 101), "a\x00"} {
		if vault.CheckName(bad) == nil {
			t.Errorf("%q is taken for a name", bad)
		}
		if v.Save(t.Context(), bad, record()) == nil {
			t.Errorf("%q was saved", bad)
		}
		if _, err := v.Load(t.Context(), bad); err == nil {
			t.Errorf("%q was loaded", bad)
		}
		if v.Delete(bad) == nil {
			t.Errorf("%q was deleted", bad)
		}
	}
	save(t, v, "b.example-8443")
	save(t, v, "a")
	if err := v.SetCurrent("a"); err != nil {
		t.Fatal(err)
	}
	names, err := v.Names()
	if err != nil || strings.Join(names, " ") != "a b.example-8443" {
		t.Fatalf("names %v, %v", names, err)
	}
	if name, err := v.Current(); err != nil || name != "a" {
		t.Fatalf("current %q, %v", name, err)
	}
}
