// Command zitadel runs the provider of github.com/zitadel/oidc/v3 on that
// library's example storage and login page, as an OP for interoperability
// tests. Its only argument names a configuration file (package launch).
package main

import (
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"rely.example/peers/interop/launch"
)

func main() {
	c, err := launch.Read(os.Args)
	if err != nil {
		log.Fatal(err)
	}
	clients, err := staticClients(c.Clients)
	if err != nil {
		log.Fatal(err)
	}
	storage.RegisterClients(clients...)
	store := storage.NewStorage(users{c.User})
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	log.Fatal(c.Serve(exampleop.SetupServer(c.Issuer, store, logger, false)))
}

// staticClients makes the clients that the example storage has a constructor
// for: a web client that sends its secret, one for devices, and a native one that
// has no secret.
func staticClients(in []launch.Client) ([]*storage.Client, error) {
	var out []*storage.Client
	for _, c := range in {
		switch {
		case slices.Contains(c.GrantTypes, string(oidc.GrantTypeDeviceCode)):
			out = append(out, storage.DeviceClient(c.ID, c.Secret))
		case c.AuthMethod == "client_secret_basic":
			out = append(out, storage.WebClient(c.ID, c.Secret, c.RedirectURIs...))
		case c.AuthMethod == "none":
			out = append(out, storage.NativeClient(c.ID, c.RedirectURIs...))
		default:
			return nil, fmt.Errorf("client %s: the example storage has no client for %s", c.ID, c.AuthMethod)
		}
	}
	return out, nil
}

// users is a store of one user.
type users struct{ u launch.User }

func (s users) GetUserByID(id string) *storage.User {
	if id != s.u.Username {
		return nil
	}
	return s.user()
}

func (s users) GetUserByUsername(name string) *storage.User { return s.GetUserByID(name) }

// ExampleClientID names the service user of the example storage, unused here.
func (users) ExampleClientID() string { return storage.ServiceUserID }

func (s users) user() *storage.User {
	return &storage.User{
		ID:            s.u.Username,
		Username:      s.u.Username,
		Password:      s.u.Password,
		FirstName:     s.u.Name,
		Email:         s.u.Email,
		EmailVerified: true,
		IsAdmin:       true, // the example storage exchanges the tokens of admins
	}
}
