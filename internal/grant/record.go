package grant

import (
	"fmt"
	"math"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/record"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// layout rises only when an older release would misread the newer record; a new
// field alone is no reason.
const layout = 1

// The fields of the record. A number is never used again for something else.
const (
	fieldClient     record.Number = 2
	fieldScopes     record.Number = 3
	fieldAudience   record.Number = 4
	fieldAuthTime   record.Number = 5
	fieldACR        record.Number = 6
	fieldAMR        record.Number = 7
	fieldCreated    record.Number = 8
	fieldRefresh    record.Number = 9
	fieldGeneration record.Number = 10
	fieldRotated    record.Number = 11
	fieldMACKey     record.Number = 12
	fieldEpoch      record.Number = 13
	fieldHold       record.Number = 14
	fieldFormer     record.Number = 15
	fieldUserinfo   record.Number = 16 // claims that were asked for one by one
	fieldIDToken    record.Number = 17
)

// The fields of a hold.
const (
	fieldSlot        record.Number = 1
	fieldUntil       record.Number = 2
	fieldUserEpoch   record.Number = 3
	fieldClientEpoch record.Number = 4
)

// usualSize is what the record takes, with some scopes and a former slot or two.
const usualSize = 256

// keyLength is that of every grant's key.
const keyLength = len(prefix) + 3*ident.Length + 2

// Put writes g, guarded by the version that it was read with (0 for a new one).
func (g Grant) Put(until time.Time) (store.Op, error) {
	key := g.Key()
	if len(key) != keyLength {
		return store.Op{}, fmt.Errorf("writing %s: not a grant's key", key)
	}
	return store.Put(key, g.encode()).Until(until).If(g.Version), nil
}

func (g *Grant) encode() []byte {
	w := record.Write(layout, usualSize)
	w.Text(fieldClient, g.ClientID)
	w.Texts(fieldScopes, g.Scopes)
	w.Texts(fieldAudience, g.Audience)
	w.Time(fieldAuthTime, g.Authentication.Time)
	w.Text(fieldACR, g.Authentication.ACR)
	w.Texts(fieldAMR, g.Authentication.AMR)
	w.Time(fieldCreated, g.Created)
	w.Text(fieldRefresh, string(g.Refresh))
	w.Number(fieldGeneration, uint64(g.Generation))
	w.Time(fieldRotated, g.Rotated)
	w.Number(fieldMACKey, uint64(g.MACKey))
	w.Number(fieldEpoch, uint64(g.Epoch))
	g.Hold.encode(&w, fieldHold)
	for _, h := range g.Former {
		h.encode(&w, fieldFormer)
	}
	w.Texts(fieldUserinfo, g.Claims.Userinfo)
	w.Texts(fieldIDToken, g.Claims.IDToken)
	w.Keep(g.unknown)
	return w.Value()
}

func (h Hold) encode(w *record.Writer, n record.Number) {
	mark := w.Begin(n)
	w.Number(fieldSlot, uint64(h.Slot))
	w.Time(fieldUntil, h.Until)
	w.Number(fieldUserEpoch, uint64(h.User))
	w.Number(fieldClientEpoch, uint64(h.Client))
	w.Keep(h.unknown)
	w.End(mark)
}

// Decode reads a grant's record, whose key says whose it is.
func Decode(r store.Record) (Grant, error) {
	g := Grant{Version: r.Version}
	if len(r.Key) != keyLength {
		return g, fmt.Errorf("reading %s: not a grant's key", r.Key)
	}
	const n, at = ident.Length, len(prefix)
	g.Ref = Ref{Subject: r.Key[at : at+n], SessionID: r.Key[at+n+1 : at+2*n+1], ID: r.Key[at+2*n+2:]}
	if err := g.decode(r.Value); err != nil {
		return g, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	return g, nil
}

func (g *Grant) decode(value []byte) error {
	r := record.Read(value, layout)
	for r.Next() {
		switch r.Field() {
		case fieldClient:
			g.ClientID = r.Text()
		case fieldScopes:
			g.Scopes = r.Texts(g.Scopes)
		case fieldAudience:
			g.Audience = r.Texts(g.Audience)
		case fieldAuthTime:
			g.Authentication.Time = r.Time()
		case fieldACR:
			g.Authentication.ACR = r.Text()
		case fieldAMR:
			g.Authentication.AMR = r.Texts(g.Authentication.AMR)
		case fieldUserinfo:
			g.Claims.Userinfo = r.Texts(g.Claims.Userinfo)
		case fieldIDToken:
			g.Claims.IDToken = r.Texts(g.Claims.IDToken)
		case fieldHold:
			g.Hold = readHold(&r)
		case fieldFormer:
			g.Former = append(g.Former, readHold(&r))
		default:
			g.decodeState(&r)
		}
	}
	g.unknown = r.Unknown()
	return r.Err()
}

// decodeState reads what continuing the grant changes.
func (g *Grant) decodeState(r *record.Reader) {
	switch r.Field() {
	case fieldCreated:
		g.Created = r.Time()
	case fieldRefresh:
		g.Refresh = client.Refresh(r.Text())
	case fieldGeneration:
		g.Generation = r.Uint32()
	case fieldRotated:
		g.Rotated = r.Time()
	case fieldMACKey:
		g.MACKey = seal.KeyID(r.Uint32())
	case fieldEpoch:
		g.Epoch = r.Uint32()
	default:
		r.Keep()
	}
}

func readHold(r *record.Reader) Hold {
	var h Hold
	fields := r.Fields()
	for fields.Next() {
		switch fields.Field() {
		case fieldSlot:
			h.Slot = slot.Slot(fields.Number(math.MaxUint64))
		case fieldUntil:
			h.Until = fields.Time()
		case fieldUserEpoch:
			h.User = fields.Uint32()
		case fieldClientEpoch:
			h.Client = fields.Uint32()
		default:
			fields.Keep()
		}
	}
	h.unknown = fields.Unknown()
	r.Join(fields)
	return h
}
