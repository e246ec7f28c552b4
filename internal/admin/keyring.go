package admin

import (
	"context"
	"errors"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/keys"
)

// ListKeys returns all signing keys, by algorithm, the oldest first.
func (o *Operator) ListKeys() []KeyView { return viewKeys(o.Keys.List()) }

// RotateKeys lets a successor take over from the active key of each algorithm
// named, or of all in use, as soon as every verifier can know it. It returns
// the successors. Rotating again before that changes nothing.
func (o *Operator) RotateKeys(ctx context.Context, algorithms ...string) ([]KeyView, error) {
	asked := make([]keys.Algorithm, len(algorithms))
	for i, name := range algorithms {
		var err error
		if asked[i], err = algorithm("alg", name); err != nil {
			return nil, err
		}
	}
	rotated, err := o.Keys.Rotate(ctx, asked...)
	if err != nil {
		return nil, err
	}
	return viewKeys(rotated), nil
}

// CompromiseKey takes a key out of the ring at once and ends everything that it
// signed: tokens, ID tokens, logout tokens. If it was active its successor signs
// from now on. It returns the key as it was.
func (o *Operator) CompromiseKey(ctx context.Context, id string) (KeyView, error) {
	var removed keys.Key
	err := o.Ended.Key(ctx, id, ended.ByOperator, func(ctx context.Context) (err error) {
		removed, err = o.Keys.Compromise(ctx, id)
		return err
	})
	if errors.Is(err, keys.ErrUnknownKey) {
		return KeyView{}, fault.Wrap(fault.NotFound, err, "no key is named %q; see: signet keys list", id).On("kid")
	}
	if err != nil {
		return KeyView{}, err
	}
	return viewKeys([]keys.Key{removed})[0], nil
}

// algorithm reads the name of a signature algorithm, which came in field.
func algorithm(field, name string) (keys.Algorithm, error) {
	known, err := keys.ParseAlgorithm(name)
	if err != nil {
		return "", invalid(field, "%q is not supported: use ES256, EdDSA, RS256 or PS256", name)
	}
	return known, nil
}
