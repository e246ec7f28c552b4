package demo

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestServeAnswersUntilItsContextEnds(t *testing.T) {
	at, address := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, Service{Name: "invoices", Listener: at, URL: address, Issuer: "http://127.0.0.1:1", PeerName: "orders", PeerURL: "http://127.0.0.1:1"})
	}()
	newBrowser(t).get(address+"/").wants(t, http.StatusOK, "Invoices")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve = %v, want nil", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Serve did not return")
	}
	if _, err := at.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestServeReturnsWhyItCannotStartAndClosesTheListener(t *testing.T) {
	for name, s := range map[string]Service{
		"no such service":            {Name: "payroll", URL: "http://127.0.0.1:1", Issuer: "http://127.0.0.1:1"},
		"an issuer in plain http":    {Name: "orders", URL: "http://127.0.0.1:1", Issuer: "http://id.example.com"},
		"no name for its own tokens": {Name: "orders", Issuer: "http://127.0.0.1:1"},
	} {
		s.Listener, _ = listen(t)
		if err := Serve(t.Context(), s); err == nil {
			t.Errorf("%s: Serve = nil, want an error", name)
		}
		if _, err := s.Listener.Accept(); err == nil {
			t.Errorf("%s: the listener is still open", name)
		}
	}
}

func TestServeReturnsWhenItsListenerFails(t *testing.T) {
	at, address := listen(t)
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	err := Serve(t.Context(), Service{Name: "orders", Listener: at, URL: address, Issuer: "http://127.0.0.1:1"})
	if err == nil {
		t.Error("Serve = nil, want an error")
	}
}
