package session

import (
	"fmt"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/record"
	"github.com/signet-id/signet/internal/store"
)

// layout rises only when an older release would misread the newer record; a new
// field alone is no reason.
const layout = 1

// The fields of the record. A number is never used again for something else.
const (
	fieldDigest   record.Number = 2
	fieldAuthTime record.Number = 3
	fieldACR      record.Number = 4
	fieldAMR      record.Number = 5
	fieldEpoch    record.Number = 6
	fieldCreated  record.Number = 7
	fieldSeen     record.Number = 8
	fieldAddress  record.Number = 9
	fieldAgent    record.Number = 10
	fieldClients  record.Number = 11
)

// usualSize is what the record takes, with an address, an agent and some clients.
const usualSize = 256

// keyLength is that of every session's key.
const keyLength = len(prefix) + ident.Length + 1 + ident.Length

// Put writes s, guarded by the version it was read with (0 for a new one), to
// expire when the policy says.
func (p Policy) Put(s Session) (store.Op, error) {
	key := Key(s.Subject, s.ID)
	if len(key) != keyLength {
		return store.Op{}, fmt.Errorf("writing %s: not a session's key", key)
	}
	return store.Put(key, s.encode()).Until(p.Expires(s)).If(s.Version), nil
}

func (s Session) encode() []byte {
	w := record.Write(layout, usualSize)
	w.Bytes(fieldDigest, s.Digest[:])
	w.Time(fieldAuthTime, s.AuthTime)
	w.Text(fieldACR, s.ACR)
	w.Texts(fieldAMR, s.AMR)
	w.Number(fieldEpoch, uint64(s.Epoch))
	w.Time(fieldCreated, s.Created)
	w.Time(fieldSeen, s.Seen)
	w.Text(fieldAddress, s.Address)
	w.Text(fieldAgent, s.Agent)
	w.Texts(fieldClients, s.Clients)
	w.Keep(s.unknown)
	return w.Value()
}

// Decode reads a session's record, whose key says whose it is.
func Decode(r store.Record) (Session, error) {
	s := Session{Version: r.Version}
	if len(r.Key) != keyLength {
		return s, fmt.Errorf("reading %s: not a session's key", r.Key)
	}
	const at = len(prefix)
	s.Subject, s.ID = r.Key[at:at+ident.Length], r.Key[at+ident.Length+1:]
	if err := s.decode(r.Value); err != nil {
		return s, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	return s, nil
}

func (s *Session) decode(value []byte) error {
	r := record.Read(value, layout)
	for r.Next() {
		switch r.Field() {
		case fieldDigest:
			r.Exactly(s.Digest[:])
		case fieldAuthTime:
			s.AuthTime = r.Time()
		case fieldACR:
			s.ACR = r.Text()
		case fieldAMR:
			s.AMR = r.Texts(s.AMR)
		case fieldEpoch:
			s.Epoch = r.Uint32()
		case fieldCreated:
			s.Created = r.Time()
		case fieldSeen:
			s.Seen = r.Time()
		case fieldAddress:
			s.Address = r.Text()
		case fieldAgent:
			s.Agent = r.Text()
		case fieldClients:
			s.Clients = r.Texts(s.Clients)
		default:
			r.Keep()
		}
	}
	s.unknown = r.Unknown()
	return r.Err()
}
