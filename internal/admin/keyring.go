package admin

import (
	"context"

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

// algorithm reads the name of a signature algorithm, which came in field.
func algorithm(field, name string) (keys.Algorithm, error) {
	known, err := keys.ParseAlgorithm(name)
	if err != nil {
		return "", invalid(field, "%q is not supported: use ES256, EdDSA, RS256 or PS256", name)
	}
	return known, nil
}
