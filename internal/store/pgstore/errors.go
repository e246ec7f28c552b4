package pgstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// comeBack is when to try again what the database could not answer.
const comeBack = time.Second

// PostgreSQL's own names of these conditions, Appendix A of its manual.
const (
	codeReadOnly      = "25006"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeLockTimeout   = "55P03"
	codeAdminShutdown = "57P01"
	codeCrashShutdown = "57P02"
	codeStarting      = "57P03"
	codeNoDatabase    = "3D000"
	codeNoRight       = "42501"
	classConnection   = "08"
	classLogin        = "28"
)

// unsentError says why a Commit was not even asked for.
type unsentError struct{ cause error }

func (e *unsentError) Error() string { return "before anything was sent: " + e.cause.Error() }

func (e *unsentError) Unwrap() error { return e.cause }

// errUnreplicated is a Commit that its own database has, and perhaps no other.
var errUnreplicated = errors.New("the database did not wait for its replica")

// heedNotice remembers on a connection that PostgreSQL gave up waiting for its
// synchronous replica, because a timeout or an operator ended the wait. It says so
// in a warning and reports success all the same: on the disk of the primary the
// change is, and after a failover it need not be anywhere. The routine's name, other
// than the message, is the same in every language.
func heedNotice(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == routineSyncRep {
		conn.CustomData()[routineSyncRep] = true
	}
}

const routineSyncRep = "SyncRepWaitForLSN"

// replicated returns what heedNotice has remembered, once.
func replicated(conn *pgconn.PgConn) error {
	if _, gaveUp := conn.CustomData()[routineSyncRep]; !gaveUp {
		return nil
	}
	delete(conn.CustomData(), routineSyncRep)
	return errUnreplicated
}

// transient reports whether a call that changes nothing may succeed if it is
// tried again.
func transient(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return true // the connection, not the database
	}
	switch refused.Code {
	case codeSerialization, codeDeadlock:
		return true
	}
	return lost(err)
}

// lost reports whether the connection is of no use any more.
func lost(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return true
	}
	switch refused.Code {
	case codeAdminShutdown, codeCrashShutdown, codeStarting, codeReadOnly:
		return true
	}
	return strings.HasPrefix(refused.Code, classConnection)
}

// harmless reports whether a Commit that ended with err has certainly not
// happened: the database said so, or nothing was sent.
func harmless(err error) bool {
	var connect *pgconn.ConnectError
	var unsent *unsentError
	if errors.As(err, &connect) || errors.As(err, &unsent) || pgconn.SafeToRetry(err) {
		return true
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case codeSerialization, codeDeadlock, codeReadOnly:
			return true
		}
	}
	return false
}

// readFault gives a failed read the errors of the contract.
func (s *Store) readFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-s.stop:
		return store.ErrClosed
	default:
	}
	return unavailable(err, "the store cannot be read")
}

// commitFault says what became of a Commit. Nobody knows after an answer that
// was lost, and whoever asks reads.
func commitFault(err error) error {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == codeLockTimeout:
		return unavailable(err, "the store is busy: nothing was changed")
	case harmless(err):
		return unavailable(err, "the store cannot be written: nothing was changed")
	}
	return unavailable(err, "the store did not confirm a change, which may have happened")
}

func unavailable(cause error, message string) *fault.Error {
	err := fault.Wrap(fault.Unavailable, cause, "%s", message)
	err.RetryAfter = comeBack
	return err
}

// openFault says why the database cannot be used, and what to do. It names the
// host and never the password.
func openFault(config *pgconn.Config, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	where := net.JoinHostPort(config.Host, port(config.Port))
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch {
		case strings.HasPrefix(refused.Code, classLogin):
			return fault.Wrap(fault.Invalid, err, "the store at %s does not let %q in: check the user and the password", where, config.User)
		case refused.Code == codeNoDatabase:
			return fault.Wrap(fault.Invalid, err, "the store at %s has no database %q: make it first, or correct the name", where, config.Database)
		case refused.Code == codeNoRight:
			return fault.Wrap(fault.Invalid, err,
				"the store at %s does not let %q make its tables: grant CREATE on the schema, or let its owner start the new release once", where, config.User)
		}
	}
	return unavailable(err, "the store at "+where+" cannot be opened")
}
