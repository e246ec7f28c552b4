package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// store is the storage of the library's example, which keeps requests, codes
// and tokens. What the example has fixed is from the task here: keys and clients.
type store struct {
	*storage.Storage
	audience string
	clients  map[string]op.Client
	signing  signingKey
	public   []op.Key
}

func newStore(t task) (*store, error) {
	s := &store{audience: t.Audience, clients: map[string]op.Client{}}
	registered := map[string]*storage.Client{}
	for _, c := range t.Clients {
		one := client{Client: storage.WebClient(c.ID, c.Secret, t.Callback), scope: t.Scope, grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}}
		if c.Machine {
			one.grants = []oidc.GrantType{oidc.GrantTypeClientCredentials}
		}
		registered[c.ID], s.clients[c.ID] = one.Client, one
	}
	s.Storage = storage.NewStorageWithClients(people{}, registered)
	// The others publish a key of each algorithm, too.
	for _, algorithm := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		private, err := generate(algorithm)
		if err != nil {
			return nil, err
		}
		key := signingKey{id: rand.Text(), algorithm: algorithm, private: private}
		s.public = append(s.public, publicKey{key})
		if algorithm == t.Algorithm {
			s.signing = key
		}
	}
	if s.signing.private == nil {
		return nil, fmt.Errorf("no key for %q", t.Algorithm)
	}
	return s, nil
}

func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.signing, nil }

func (s *store) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.signing.algorithm}, nil
}

func (s *store) KeySet(context.Context) ([]op.Key, error) { return s.public, nil }

func (s *store) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, fmt.Errorf("no client %q", id)
	}
	return c, nil
}

// CreateAuthRequest has each client get a refresh token, asked for or not, as the
// others do.
func (s *store) CreateAuthRequest(ctx context.Context, request *oidc.AuthRequest, user string) (op.AuthRequest, error) {
	request.Scopes = append(request.Scopes, oidc.ScopeOfflineAccess)
	return s.Storage.CreateAuthRequest(ctx, request, user)
}

func (s *store) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.GetClientByClientID(ctx, id)
}

func (s *store) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{s.audience}, Scopes: scopes}, nil
}

// client is one of the example's, as in production.
type client struct {
	*storage.Client
	scope  string
	grants []oidc.GrantType
}

func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c client) DevMode() bool                       { return false }
func (c client) GrantTypes() []oidc.GrantType        { return c.grants }
func (c client) IsScopeAllowed(scope string) bool    { return scope == c.scope }

// somebody is the one person there is.
var somebody = &storage.User{
	ID: "somebody", Username: "somebody", Password: "somebody's",
	FirstName: "User", LastName: "somebody", Email: "somebody@example.com", EmailVerified: true,
}

type people struct{}

func (people) GetUserByID(string) *storage.User       { return somebody }
func (people) GetUserByUsername(string) *storage.User { return somebody }
func (people) ExampleClientID() string                { return "" }

type signingKey struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k signingKey) Key() any                                    { return k.private }

type publicKey struct{ key signingKey }

func (k publicKey) ID() string                         { return k.key.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return k.key.algorithm }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return k.key.private.Public() }

func generate(algorithm jose.SignatureAlgorithm) (private crypto.Signer, err error) {
	if algorithm == jose.RS256 {
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return private, nil
}
