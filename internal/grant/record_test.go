package grant_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// same compares two grants, the fields of the future included.
func same(a, b grant.Grant) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(grant.Grant{}, grant.Hold{}), cmpopts.EquateEmpty())
}

// fixed is the grant of the golden record.
func fixed() grant.Grant {
	at := time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	return grant.Grant{
		Ref:      grant.Ref{Subject: "AAAAAAAAAAAAAAAAAAAAAA", SessionID: "AQEBAQEBAQEBAQEBAQEBAQ", ID: "AgICAgICAgICAgICAgICAg"},
		ClientID: "orders", Scopes: []string{"openid", "email"}, Audience: []string{"https://orders.example.com"},
		Claims:         grant.Claims{Userinfo: []string{"name"}, IDToken: []string{"email"}},
		Authentication: grant.Authentication{Time: at, ACR: "1", AMR: []string{"pwd"}}, Created: at, Refresh: client.RefreshSession,
		Generation: 7, Rotated: at.Add(time.Minute), MACKey: 0xfedcba98, Epoch: 3,
		Hold:    grant.Hold{Slot: slot.At(29396000, 77), Until: at.Add(time.Hour), User: 2, Client: 1},
		Former:  []grant.Hold{{Slot: 5, Until: at}, {Slot: 6, Until: at}},
		Version: 1,
	}
}

const golden = "0801" + "12066f7264657273" + "1a066f70656e6964" + "1a05656d61696c" +
	"221a68747470733a2f2f6f72646572732e6578616d706c652e636f6d" +
	"2a0780a9a19a0df403" + "320131" + "3a03707764" + "420780a9a19a0df403" + "4a0773657373696f6e" +
	"5007" + "5a07f8a9a19a0df403" + "6098f5f2f60f" + "6803" +
	"7215" + "08cd8080908c81071207a0e1a19a0df40318022001" +
	"7a0b" + "0805120780a9a19a0df403" + "7a0b" + "0806120780a9a19a0df403" +
	"8201046e616d65" + "8a0105656d61696c"

// A record that was written once is read by every later release: what this test
// holds changes by fields that are added, never otherwise.
func TestTheFormOfTheRecordNeverChanges(t *testing.T) {
	rec := recordOf(t, fixed())
	if got := hex.EncodeToString(rec.Value); got != golden {
		t.Errorf("the record is\n%s, want\n%s", got, golden)
	}
	rec.Value, _ = hex.DecodeString(golden)
	got, err := grant.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(fixed(), got); diff != "" {
		t.Errorf("the golden record (-want +got):\n%s", diff)
	}
}

func TestEveryGrantIsReadBackAsItWasWritten(t *testing.T) {
	back := func(texts [4]string, lists [5][]string, seconds [4]int64, nanos uint32, numbers [5]uint32, slots [3]uint64) bool {
		at := func(i int) time.Time { return time.Unix(seconds[i], int64(nanos%1e9)).UTC() }
		g := grant.Grant{
			Ref:      grant.Ref{Subject: ident.New(), SessionID: ident.New(), ID: ident.New()},
			ClientID: texts[0], Scopes: lists[0], Audience: lists[1], Claims: grant.Claims{Userinfo: lists[2], IDToken: lists[3]},
			Authentication: grant.Authentication{Time: at(0), ACR: texts[1], AMR: lists[4]}, Created: at(1), Refresh: client.Refresh(texts[2]),
			Generation: numbers[0], Rotated: at(2), MACKey: seal.KeyID(numbers[1]), Epoch: numbers[2],
			Hold:    grant.Hold{Slot: slot.Slot(slots[0]), Until: at(3), User: numbers[3], Client: numbers[4]},
			Former:  []grant.Hold{{Slot: slot.Slot(slots[1]), Until: at(0)}, {}, {Slot: slot.Slot(slots[2])}},
			Version: 1,
		}
		got, err := grant.Decode(recordOf(t, g))
		return err == nil && same(g, got) == ""
	}
	if err := quick.Check(back, nil); err != nil {
		t.Error(err)
	}
	empty := grant.Grant{Ref: fixed().Ref, Version: 1}
	if got, err := grant.Decode(recordOf(t, empty)); err != nil || same(empty, got) != "" {
		t.Errorf("an empty grant: %+v, %v", got, err)
	}
}

func TestEveryCodeIsOpenedAsItWasSealed(t *testing.T) {
	ring := newRing(t, newStore(t))
	back := func(texts [8]string, lists [5][]string, seconds int64, nanos uint32) bool {
		c := grant.Code{
			Ref:      grant.Ref{Subject: texts[0], SessionID: texts[1], ID: ident.New()},
			ClientID: texts[3], RedirectURI: texts[4], Nonce: texts[5], Challenge: texts[6],
			Scopes: lists[0], Audience: lists[1], Claims: grant.Claims{Userinfo: lists[2], IDToken: lists[3]},
			Authentication: grant.Authentication{Time: time.Unix(seconds, int64(nanos%1e9)).UTC(), ACR: texts[7], AMR: lists[4]},
		}
		got := openCode(t, ring, sealCode(t, ring, c))
		return cmp.Equal(c, got, cmpopts.IgnoreUnexported(grant.Code{}), cmpopts.EquateEmpty())
	}
	if err := quick.Check(back, nil); err != nil {
		t.Error(err)
	}
}

// future is a field that this release does not know.
func future() []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from the future")
}

func TestWhatANewerReleaseWroteInAGrantIsKept(t *testing.T) {
	rec := recordOf(t, fixed())
	rec.Value = append(rec.Value, future()...)
	// And in a former hold, which is a field with fields: 15, one byte of length.
	held := append([]byte{15<<3 | 2, byte(2 + len(future())), 1 << 3, 9}, future()...)
	rec.Value = append(rec.Value, held...)
	g, err := grant.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	back := string(recordOf(t, g.Next(time.Now(), 8)).Value)
	if strings.Count(back, string(future())) != 2 || !strings.Contains(back, string(held)) {
		t.Errorf("the fields of the future are lost: %x", back)
	}
}

func TestARecordThatIsNoGrantIsNotRead(t *testing.T) {
	good := recordOf(t, fixed())
	for name, value := range map[string][]byte{
		"JSON": []byte(`{"client":"orders"}`), "nothing": nil, "cut off": good.Value[:len(good.Value)-1],
		"a hold that is damaged": {8, 1, 14<<3 | 2, 1, 0xff},
		"a generation too great": append([]byte{8, 1, 10 << 3}, protowire.AppendVarint(nil, 1<<32)...),
	} {
		if g, err := grant.Decode(store.Record{Key: good.Key, Value: value, Version: 1}); err == nil {
			t.Errorf("%s: Decode = %+v, want an error", name, g)
		}
	}
	_, err := grant.Decode(store.Record{Key: good.Key, Value: []byte("{}"), Version: 1})
	if err == nil || !strings.Contains(err.Error(), "unreleased version") {
		t.Errorf("JSON: %v, want a sentence about unreleased versions", err)
	}
	if _, err := (grant.Grant{Ref: grant.Ref{Subject: "alice"}}).Put(time.Now()); err == nil {
		t.Error("a grant is written that Decode would refuse")
	}
}

// Each refresh reads and writes one, and each redemption opens a code.
func TestAGrantIsReadAndWrittenInFewAllocations(t *testing.T) {
	g := inUse(t)
	rec := recordOf(t, g)
	read := testing.AllocsPerRun(100, func() { _, _ = grant.Decode(rec) })
	written := testing.AllocsPerRun(100, func() { _, _ = g.Put(g.Created) })
	// The copy and three lists; the key and the value.
	if read > 4 || written > 2 {
		t.Errorf("%v allocations to read and %v to write, want 4 and 2", read, written)
	}
	ring := newRing(t, newStore(t))
	code := sealCode(t, ring, newCode())
	// Those of the seal (one more under the race detector), then the copy, three lists, and the key.
	if opened := testing.AllocsPerRun(100, func() { _, _ = grant.OpenCode(ring, code) }); opened > 11 {
		t.Errorf("%v allocations to open a code, want 11", opened)
	}
}

// Whatever is read as a grant means the same when it is written and read again.
func FuzzAGrantSurvivesBeingWrittenBack(f *testing.F) {
	raw, err := hex.DecodeString(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(append(raw, future()...))
	f.Add(raw[:40])
	f.Add(append([]byte{8, 1, 14<<3 | 2, byte(len(future()))}, future()...))
	key := fixed().Key()
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := grant.Decode(store.Record{Key: key, Value: value, Version: 1})
		if err != nil {
			return
		}
		again, err := grant.Decode(recordOf(t, first))
		if diff := same(first, again); err != nil || diff != "" {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}
