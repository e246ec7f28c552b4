package keys_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"log"
	"sync"

	"github.com/signet-id/signet/keys"
)

// memory is the smallest Storage: one document, one process.
type memory struct {
	mu        sync.Mutex
	doc       []byte
	version   uint64
	listeners []chan struct{}
}

func (m *memory) Load(context.Context) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doc, m.version, nil
}

func (m *memory) Save(_ context.Context, doc []byte, version uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != m.version {
		return 0, keys.ErrConflict
	}
	m.doc, m.version = append([]byte(nil), doc...), version+1
	for _, c := range m.listeners {
		select {
		case c <- struct{}{}:
		default: // it has news waiting already
		}
	}
	return m.version, nil
}

func (m *memory) Changes(context.Context) (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{}, 1)
	m.listeners = append(m.listeners, c)
	return c, nil
}

// aesSealer seals with AES-256-GCM; the purpose is authenticated with the rest.
type aesSealer struct{ aead cipher.AEAD }

func newSealer(kek []byte) (aesSealer, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return aesSealer{}, fmt.Errorf("using the key-encryption key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return aesSealer{aead}, err
}

func (s aesSealer) Seal(purpose string, plaintext []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plaintext, []byte(purpose)), nil
}

func (s aesSealer) Open(purpose string, sealed []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, []byte(purpose))
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	kek := make([]byte, 32) // from a file, an environment variable, a KMS
	rand.Read(kek)
	sealer, err := newSealer(kek)
	if err != nil {
		log.Fatal(err)
	}

	ring, err := keys.Open(ctx, &memory{}, sealer, keys.DefaultPolicy(), nil, keys.ES256)
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- ring.Run(ctx) }()

	token, err := ring.Sign(ctx, keys.ES256, "at+jwt", []byte(`{"sub":"alice"}`))
	if err != nil {
		log.Fatal(err)
	}
	header, payload, err := ring.Verify(token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(header.Alg, header.Typ, string(payload))

	rotated, err := ring.Rotate(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rotated[0].State, "signs in", rotated[0].Activates.Sub(rotated[0].Created))

	stop()
	fmt.Println("stopped:", <-done)
	// Output:
	// ES256 at+jwt {"sub":"alice"}
	// next signs in 15m0s
	// stopped: <nil>
}

func ExamplePlan() {
	// What would be done on an empty ring, now?
	now := keys.Key{}.Created
	for _, step := range keys.Plan(nil, []keys.Algorithm{keys.ES256}, keys.DefaultPolicy(), now) {
		fmt.Println(step.Action, step.Algorithm)
	}
	// Output: create ES256
}
