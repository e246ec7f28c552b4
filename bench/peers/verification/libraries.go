package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	jwk2 "github.com/lestrrat-go/jwx/v2/jwk"
	jws2 "github.com/lestrrat-go/jwx/v2/jws"
	jwt2 "github.com/lestrrat-go/jwx/v2/jwt"
	jwk3 "github.com/lestrrat-go/jwx/v3/jwk"
	jws3 "github.com/lestrrat-go/jwx/v3/jws"
	jwt3 "github.com/lestrrat-go/jwx/v3/jwt"
)

func libraries(keysURL string) []library {
	return []library{
		{"golang-jwt v5 with keyfunc v3", openGolangJWT},
		{"go-jose v4", openJose},
		{"jwx v2", openJWX2},
		{"jwx v3", openJWX3},
		{"go-oidc v3", func(ctx context.Context, t task, algorithm string) (func(string) error, error) {
			return openOIDC(ctx, t, algorithm, keysURL)
		}},
	}
}

// publish serves the keys for the library that fetches them itself.
func publish(keys []byte) (stop func(), url string, err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("publishing the keys: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(keys) // who asked is gone
	})}
	go func() { _ = server.Serve(listener) }() // until stop
	return func() { _ = server.Close() }, "http://" + listener.Addr().String(), nil
}

// claims are what a token says, as an application would read it.
type claims struct {
	jwt.RegisteredClaims
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	SessionID string   `json:"sid"`
	Roles     []string `json:"roles"`
	AuthTime  int64    `json:"auth_time"`
}

func openGolangJWT(_ context.Context, t task, algorithm string) (func(string) error, error) {
	set, err := keyfunc.NewJWKSetJSON(t.JWKS)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithIssuer(t.Issuer), jwt.WithAudience(t.Audience), jwt.WithExpirationRequired())
	return func(raw string) error {
		_, err := parser.ParseWithClaims(raw, new(claims), set.Keyfunc)
		return err
	}, nil
}

func openJose(_ context.Context, t task, algorithm string) (func(string) error, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(t.JWKS, &set); err != nil {
		return nil, err
	}
	return func(raw string) error {
		token, err := josejwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			return err
		}
		var standard josejwt.Claims
		var own struct {
			ClientID string   `json:"client_id"`
			Scope    string   `json:"scope"`
			Roles    []string `json:"roles"`
		}
		if err := token.Claims(set, &standard, &own); err != nil {
			return err
		}
		return standard.Validate(josejwt.Expected{Issuer: t.Issuer, AnyAudience: josejwt.Audience{t.Audience}, Time: time.Now()})
	}, nil
}

func openJWX2(_ context.Context, t task, _ string) (func(string) error, error) {
	set, err := jwk2.Parse(t.JWKS)
	if err != nil {
		return nil, err
	}
	keys := jwt2.WithKeySet(set, jws2.WithInferAlgorithmFromKey(false))
	issuer, audience := jwt2.WithIssuer(t.Issuer), jwt2.WithAudience(t.Audience)
	return func(raw string) error {
		_, err := jwt2.ParseString(raw, keys, issuer, audience)
		return err
	}, nil
}

func openJWX3(_ context.Context, t task, _ string) (func(string) error, error) {
	set, err := jwk3.Parse(t.JWKS)
	if err != nil {
		return nil, err
	}
	keys := jwt3.WithKeySet(set, jws3.WithInferAlgorithmFromKey(false))
	issuer, audience := jwt3.WithIssuer(t.Issuer), jwt3.WithAudience(t.Audience)
	return func(raw string) error {
		_, err := jwt3.ParseString(raw, keys, issuer, audience)
		return err
	}, nil
}

func openOIDC(ctx context.Context, t task, algorithm, keysURL string) (func(string) error, error) {
	verifier := oidc.NewVerifier(t.Issuer, oidc.NewRemoteKeySet(ctx, keysURL), &oidc.Config{
		ClientID: t.Audience, SupportedSigningAlgs: []string{algorithm},
	})
	return func(raw string) error {
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return err
		}
		var own struct {
			ClientID string   `json:"client_id"`
			Scope    string   `json:"scope"`
			Roles    []string `json:"roles"`
		}
		return token.Claims(&own)
	}, nil
}
