package sqlstore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"rely.example/store"
)

// killedEnv makes of this test program the process that is killed: it holds the
// URL of the store to write to.
const killedEnv = "RELY_SQLSTORE_KILLED"

// TestHostileKill kills a process that writes, at 20 points. What it said was
// done is there, once; what it had in hand is either as before or as after.
//
// For each i the process makes a login "pending:i", then takes it, makes the
// grant i and replaces that, and says so after each step.
func TestHostileKill(t *testing.T) {
	if url := os.Getenv(killedEnv); url != "" {
		writeUntilKilled(t, url)
		return
	}
	t.Run("317_kill_at_20_points", func(t *testing.T) {
		url := sqliteURL(t)
		from := 0
		for point := range 20 {
			from = killAt(t, url, from, 3+2*point)
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Fatalf("point %d: %v", point, err)
			}
			var verdict string
			if err := s.write.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
				t.Fatalf("point %d: the file is %q, %v", point, verdict, err)
			}
			wantNoLooseTags(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// steps of one login, in their order.
const (
	pendingMade = iota
	pendingTaken
	grantMade
	grantReplaced
	stepsInAll
)

func writeUntilKilled(t *testing.T, url string) {
	s := open(t, url)
	ctx := t.Context()
	from, err := strconv.Atoi(os.Getenv(killedEnv + "_FROM"))
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour)
	say := func(i, step int, err error) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("done %d %d\n", i, step)
	}
	for i := from; i < from+10_000; i++ {
		pending := store.Record{Key: fmt.Sprint("pending:", i), Value: []byte("p"), Expires: expires}
		_, err := s.Create(ctx, pending)
		say(i, pendingMade, err)
		_, err = s.Take(ctx, pending.Key)
		say(i, pendingTaken, err)
		grant, err := s.Create(ctx, store.Record{Key: fmt.Sprint("grant:", i), Value: []byte("1"), Tags: []string{fmt.Sprint("sub:", i)}, Expires: expires})
		say(i, grantMade, err)
		grant.Value = []byte("2")
		_, err = s.Replace(ctx, grant)
		say(i, grantReplaced, err)
	}
}

// killAt runs the process, kills it once it has said that it did so many steps,
// compares the store with that, and returns the next i that is unused.
func killAt(t *testing.T, url string, from, steps int) int {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestHostileKill$")
	cmd.Env = append(os.Environ(), killedEnv+"="+url, killedEnv+"_FROM="+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line, ok := strings.CutPrefix(lines.Text(), "done ")
		if !ok {
			t.Errorf("the process says %q", lines.Text())
			continue
		}
		// What it wrote to the pipe before it died counts as well.
		if said++; said == steps {
			cmd.Process.Kill()
		}
		if want := fmt.Sprintf("%d %d", from+(said-1)/stepsInAll, (said-1)%stepsInAll); line != want {
			t.Errorf("the process says %q, want %q", line, want)
		}
	}
	cmd.Wait()
	if said < steps {
		t.Fatalf("the process ended by itself after %d steps", said)
	}
	s := open(t, url)
	last := from + said/stepsInAll + 1
	for i := from; i <= last; i++ {
		done := min(max(said-(i-from)*stepsInAll, 0), stepsInAll)
		_, pendingErr := s.Load(t.Context(), fmt.Sprint("pending:", i))
		grant, grantErr := s.Load(t.Context(), fmt.Sprint("grant:", i))
		keys, err := s.Tagged(t.Context(), fmt.Sprint("sub:", i))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		switch {
		case pendingErr == nil && errors.Is(grantErr, store.ErrNotFound) && len(keys) == 0:
			got = "pending"
		case errors.Is(pendingErr, store.ErrNotFound) && errors.Is(grantErr, store.ErrNotFound) && len(keys) == 0:
			got = "none"
		case errors.Is(pendingErr, store.ErrNotFound) && grantErr == nil && len(keys) == 1:
			got = "grant " + string(grant.Value)
		default:
			got = fmt.Sprintf("pending %v, grant %v, %d under the tag", pendingErr, grantErr, len(keys))
		}
		after := []string{"none", "pending", "none", "grant 1", "grant 2"}
		if got != after[done] && (done == stepsInAll || got != after[done+1]) {
			t.Errorf("login %d, of which %d steps were done, left %q", i, done, got)
		}
	}
	return last + 1
}
