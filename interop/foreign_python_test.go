package interop

import (
	"os"
	"testing"
)

// Authlib and PyJWT are what Python signs in and verifies with.
func TestPythonSignsInAndVerifies(t *testing.T) {
	python := os.Getenv("SIGNET_PYTHON")
	if python == "" {
		t.Skip("SIGNET_PYTHON names no Python with Authlib and PyJWT; the test command installs them where it may")
	}
	s := openStage(t)
	env := environ("REQUESTS_CA_BUNDLE="+s.bundle, "SSL_CERT_FILE="+s.bundle)
	for _, alg := range algorithms() {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s.walk(t, alg, env, python, "python/walk.py")
		})
	}
}
