package etcdstore

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/signet-id/signet/internal/fault"
)

// comeBack is when who was told that the store is unavailable may try again:
// a cluster that lost its leader has another one after a second or two.
const comeBack = time.Second

// unavailable gives a failed call the errors of the contract; ctx is the caller's.
func unavailable(ctx context.Context, err error, doing string) error {
	var known *fault.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return err
	}
	message := "etcd does not answer"
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		message = "etcd has reached its space quota: compact and defragment it, then disarm the alarm"
	case errors.Is(err, rpctypes.ErrCorrupt):
		message = "etcd has found its data damaged"
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge):
		message = "etcd is set to refuse large requests: raise its --max-txn-ops to 128 and its --max-request-bytes to 1572864"
	case refused(err):
		message = "etcd refuses this node's user"
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrLeaderChanged):
		message = "etcd has no leader"
	}
	e := fault.Wrap(fault.Unavailable, err, "the store cannot be %s: %s", doing, message)
	e.RetryAfter = comeBack
	return e
}

// refused reports whether etcd knows who asks, and says no.
func refused(err error) bool {
	for _, refusal := range []error{
		rpctypes.ErrAuthFailed, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrUserNotFound, rpctypes.ErrInvalidAuthToken,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// transient reports whether a read that failed so may succeed elsewhere or a
// moment later.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true // its own deadline: the member that was asked is silent
	}
	code := status.Code(err)
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		code = known.Code()
	}
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled || code == codes.Aborted
}

// carefully corrects two habits of the client library.
//
// It has calls wait for a connection, and their time run out, where it could say
// at once that no member can be reached, and why.
//
// And it may send a transaction twice. Its rule for those that write is to repeat
// only what certainly was not sent, but it makes an exception of every answer
// with one of these two codes, which a server or something in between gives when
// a deadline passes there first. The first copy may have been applied, and the
// second would then fail its own guards.
func carefully(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, conn, append(opts, grpc.WaitForReady(false))...)
	code := status.Code(err)
	if method == "/etcdserverpb.KV/Txn" && (code == codes.Canceled || code == codes.DeadlineExceeded) && ctx.Err() == nil {
		return status.Error(codes.Aborted, status.Convert(err).Message())
	}
	return err
}

// foreign reports what this release did not write.
func foreign(cause error) error {
	return fault.Wrap(fault.Unavailable, cause, "the store holds a record that this release cannot read")
}
