package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"rely.example/oidctest"
)

// opVariable, in the environment of this program, makes it the OP: what the OP
// keeps of its logins must not count as ours, so it is a process of its own.
const opVariable = "RELY_SOAK_OP"

// opConfig is what the OP is told, opReady what it answers.
type (
	opConfig struct {
		AccessToken time.Duration // their lifetime
		Rotate      time.Duration // how often new keys take the place of the old
	}
	opReady struct {
		Issuer, Certificate string
		ClientID, Secret    string
	}
)

// serveOP runs until in ends.
func serveOP(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var c opConfig
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	op, err := oidctest.Start(oidctest.Config{AccessTokenLifetime: c.AccessToken, RefreshAlways: true, RefreshTokenLifetime: time.Hour})
	if err != nil {
		return err
	}
	defer op.Close()
	client := op.AddClient(oidctest.Client{RedirectURIs: []string{origin + "/auth/callback"},
		PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}})
	ready := opReady{Issuer: op.Issuer, ClientID: client.ID, Secret: client.Secret,
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: op.Certificate().Raw}))}
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, r)
		close(ended)
	}()
	tick := time.NewTicker(c.Rotate)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-tick.C:
			op.RotateKeys()
			op.WithdrawKeys()
			op.ClearLog()
		}
	}
}

// opProcess is the OP as a child.
type opProcess struct {
	opReady
	cmd   *exec.Cmd
	stdin io.Closer
}

func startOP(c opConfig) (*opProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &opProcess{cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), opVariable+"=1")
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.stdin = in
	told, err := json.Marshal(c)
	if err == nil {
		_, err = in.Write(append(told, '\n'))
	}
	if err == nil {
		err = json.NewDecoder(out).Decode(&p.opReady)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the OP: %w", err), p.close())
	}
	return p, nil
}

// close ends the OP: it reads until its input ends.
func (p *opProcess) close() error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

// transport reaches the OP, and no proxy.
func (p *opProcess) transport() (*http.Transport, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.Certificate)) {
		return nil, errors.New("the OP told no certificate")
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}, nil
}
