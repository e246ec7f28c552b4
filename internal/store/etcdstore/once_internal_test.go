package etcdstore

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestATransactionIsNeverSentTwice holds the one place against the library's
// rule: it sends a call again when the answer has one of these codes although
// nobody's time is up.
func TestATransactionIsNeverSentTwice(t *testing.T) {
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded} {
		answer := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			return status.Error(code, "the server's time is up")
		}
		err := carefully(t.Context(), "/etcdserverpb.KV/Txn", nil, nil, nil, answer)
		if got := status.Code(err); got != codes.Aborted {
			t.Errorf("a transaction that ended with %s is handed on with %s, want Aborted", code, got)
		}
		if err := carefully(t.Context(), "/etcdserverpb.KV/Range", nil, nil, nil, answer); status.Code(err) != code {
			t.Errorf("a read that ended with %s is handed on with %s", code, status.Code(err))
		}
		over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		if err := carefully(over, "/etcdserverpb.KV/Txn", nil, nil, nil, answer); status.Code(err) != code {
			t.Errorf("the end of the caller's own time is handed on with %s, want %s", status.Code(err), code)
		}
		cancel()
	}
}
