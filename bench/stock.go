package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// perSecond is how many tokens are made for each second of a slice: more than a
// server of this house uses up on two cores. A faster one ends its slice early.
const perSecond = 6000

// signedIn opens a service in a browser that is signed in.
func signedIn(client string) func(*visitor) error {
	return func(v *visitor) error { return v.signIn(client) }
}

func (v *visitor) signIn(client string) error {
	if err := v.authorize(client); err != nil {
		return err
	}
	return v.redeem(client)
}

// unseen does a step with an access token that no step had before.
func unseen(step func(*visitor) error) func(*visitor) error {
	return func(v *visitor) error {
		if len(v.pool) == 0 {
			return errSpent
		}
		v.access, v.pool = v.pool[len(v.pool)-1], v.pool[:len(v.pool)-1]
		return step(v)
	}
}

// fresh gives each visitor access tokens that differ from all before in their
// signature alone: the server has issued one like them, and has seen none. The
// floor, which knows no token, is given one again and again.
func fresh(ctx context.Context, b *bench, c *contender) error {
	each := max(1, int(perSecond*b.seconds/rounds)/len(c.visitors))
	if c == b.floor {
		for _, v := range c.visitors {
			v.pool = make([]string, each)
			for i := range v.pool {
				v.pool[i] = v.access
			}
		}
		return nil
	}
	model, err := b.minter.Mint().ParseAccess(c.visitors[0].access, time.Now())
	if err != nil {
		return fmt.Errorf("reading the token that others are like: %w", err)
	}
	failed := make([]error, len(c.visitors))
	var wg sync.WaitGroup
	for i, v := range c.visitors {
		wg.Go(func() {
			v.pool = make([]string, each)
			for n := range v.pool {
				if v.pool[n], failed[i] = b.minter.Mint().Access(ctx, model, time.Now()); failed[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return fmt.Errorf("making tokens: %w", err)
		}
	}
	return nil
}

// kept lets each visitor keep codes, as long as there is time.
func kept(ctx context.Context, visitors []*visitor, d time.Duration) error {
	_, err := load(ctx, visitors, d, (*visitor).keepCode)
	return err
}

// findList remembers where the bit of the last access token is.
func (v *visitor) findList() error {
	parts := strings.Split(v.access, ".")
	if len(parts) != 3 {
		return fmt.Errorf("no token to find a status list in: %q", v.access)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return fmt.Errorf("reading a token: %w", err)
	}
	at, err := url.Parse(member(claims, "uri"))
	if err != nil || at.Path == "" {
		return fmt.Errorf("the token names no status list: %s", claims)
	}
	v.list = at.Path
	return nil
}

// pageAgain loads the page of the journey that is under way.
func (v *visitor) pageAgain() error {
	return v.do(200, "GET", "/signin?journey="+url.QueryEscape(v.journey), v.stranger(), "")
}
