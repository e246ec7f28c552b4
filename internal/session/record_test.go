package session_test

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// same compares two sessions, the fields of the future included.
func same(a, b session.Session) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(session.Session{}), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(session.Session{}, "Version"))
}

// fixed is the session of the golden record.
func fixed() session.Session {
	at := time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	s := session.Session{
		Subject: "AAAAAAAAAAAAAAAAAAAAAA", ID: "AQEBAQEBAQEBAQEBAQEBAQ", AuthTime: at, ACR: "1", AMR: []string{"pwd", "otp"}, Epoch: 3,
		Created: at.Add(-time.Hour), Seen: at.Add(time.Minute), Address: "192.0.2.1", Agent: "Firefox", Clients: []string{"orders", "billing"},
	}
	for i := range s.Digest {
		s.Digest[i] = byte(i)
	}
	return s
}

const golden = "0801" +
	"1220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
	"1a0780a9a19a0df403" + "220131" + "2a03707764" + "2a036f7470" + "3003" + "3a07e0f0a09a0df403" +
	"4207f8a9a19a0df403" + "4a093139322e302e322e31" + "520746697265666f78" + "5a066f7264657273" + "5a0762696c6c696e67"

// A record that was written once is read by every later release: what this test
// holds changes by fields that are added, never otherwise.
func TestTheFormOfTheRecordNeverChanges(t *testing.T) {
	rec := recordOf(t, fixed())
	if got := hex.EncodeToString(rec.Value); got != golden {
		t.Errorf("the record is\n%s, want\n%s", got, golden)
	}
	rec.Value, _ = hex.DecodeString(golden)
	got, err := session.Decode(rec)
	if diff := same(fixed(), got); err != nil || diff != "" {
		t.Errorf("the golden record: %v (-want +got):\n%s", err, diff)
	}
}

func TestEverySessionIsReadBackAsItWasWritten(t *testing.T) {
	back := func(digest [32]byte, auth, created, seen int64, nanos uint32, acr, address, agent string, amr, clients []string, epoch uint32) bool {
		at := func(seconds int64) time.Time { return time.Unix(seconds, int64(nanos%1e9)).UTC() }
		s := session.Session{
			Subject: ident.New(), ID: ident.New(), Digest: digest, AuthTime: at(auth), ACR: acr, AMR: amr, Epoch: epoch,
			Created: at(created), Seen: at(seen), Address: address, Agent: agent, Clients: clients,
		}
		got, err := session.Decode(recordOf(t, s))
		return err == nil && same(s, got) == ""
	}
	if err := quick.Check(back, nil); err != nil {
		t.Error(err)
	}
	empty := session.Session{Subject: ident.New(), ID: ident.New()}
	if got, err := session.Decode(recordOf(t, empty)); err != nil || same(empty, got) != "" {
		t.Errorf("an empty session: %+v, %v", got, err)
	}
}

// future is a field that this release does not know.
func future() []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from the future")
}

func TestWhatANewerReleaseWroteInASessionIsKept(t *testing.T) {
	rec := recordOf(t, fixed())
	rec.Value = append(rec.Value, future()...)
	s, err := session.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	s, _ = s.Join("another")
	s, _ = s.Touch(s.Seen.Add(time.Hour))
	s, _ = policy.Renew(s, signIn(time.Now()))
	if back := recordOf(t, s).Value; !strings.Contains(string(back), string(future())) {
		t.Errorf("the field of the future is lost: %x", back)
	}
}

func TestARecordThatIsNoSessionIsNotRead(t *testing.T) {
	good := recordOf(t, fixed())
	for name, r := range map[string]store.Record{
		"JSON":                     {Key: good.Key, Value: []byte(`{"digest":""}`)},
		"nothing":                  {Key: good.Key},
		"cut off":                  {Key: good.Key, Value: good.Value[:len(good.Value)-1]},
		"a digest that is short":   {Key: good.Key, Value: []byte{8, 1, 0x12, 1, 'x'}},
		"under a foreign key":      {Key: "session/" + ident.New(), Value: good.Value},
		"under a key that goes on": {Key: good.Key + "x", Value: good.Value},
		"under a key that is cut":  {Key: good.Key[:len(good.Key)-1], Value: good.Value},
	} {
		if s, err := session.Decode(r); err == nil {
			t.Errorf("%s: Decode = %+v, want an error", name, s)
		}
	}
	_, err := session.Decode(store.Record{Key: good.Key, Value: []byte("{}")})
	if err == nil || !strings.Contains(err.Error(), "unreleased version") {
		t.Errorf("JSON: %v, want a sentence about unreleased versions", err)
	}
	if _, err := policy.Put(session.Session{Subject: "alice", ID: ident.New()}); err == nil {
		t.Error("a session is written that Decode would refuse")
	}
}

// Each request with a cookie decodes one.
func TestASessionIsReadAndWrittenInFewAllocations(t *testing.T) {
	s, _ := inUse()
	rec := recordOf(t, s)
	read := testing.AllocsPerRun(100, func() { _, _ = session.Decode(rec) })
	written := testing.AllocsPerRun(100, func() { _, _ = policy.Put(s) })
	// The copy and two lists; the key and the value.
	if read > 3 || written > 2 {
		t.Errorf("%v allocations to read and %v to write, want 3 and 2", read, written)
	}
}

// Whatever is read as a session means the same when it is written and read again.
func FuzzASessionSurvivesBeingWrittenBack(f *testing.F) {
	raw, err := hex.DecodeString(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(append(raw, future()...))
	f.Add(raw[:40])
	f.Add(append([]byte{8, 1, 0x30}, protowire.AppendVarint(nil, math.MaxUint64)...))
	key := session.Key(ident.New(), ident.New())
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := session.Decode(store.Record{Key: key, Value: value, Version: 1})
		if err != nil {
			return
		}
		again, err := session.Decode(recordOf(t, first))
		if diff := same(first, again); err != nil || diff != "" {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}
