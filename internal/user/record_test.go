package user_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// differ compares two users, the fields of the future included.
func differ(a, b user.User) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(user.User{}, user.PasswordHash{}), cmpopts.EquateEmpty())
}

// fixed is the user of the golden record.
func fixed() user.User {
	u := full()
	u.Subject, u.Login = "AAAAAAAAAAAAAAAAAAAAAA", "alice@example.com"
	u.Created = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	u.Updated, u.PasswordChanged = u.Created.Add(time.Hour), u.Created.Add(500*time.Millisecond)
	u.Disabled, u.Epoch, u.TokenEpoch = true, 3, 300
	u.Profile.PreferredUsername = "al"
	u.Profile.Address.StreetAddress, u.Profile.Address.Region, u.Profile.Address.PostalCode = "1 Deanery", "Oxon", "OX1"
	return u
}

const golden = "0801100318ac0220012a0a80a9a19a0d80cab5ee013206726561646572320561646d696e3206726561646572" +
	"3a0c446f6d61696e205573657273420b246172676f6e32696424784a0680a9a19a0d005206a0e1a19a0d0058016001" +
	"820111616c696365406578616d706c652e636f6d8a0111616c696365406578616d706c652e636f6d" +
	"92010d416c696365204c696464656c6c9a0105416c696365a201074c696464656c6caa010150b20102416cba0102616c" +
	"c2011968747470733a2f2f6578616d706c652e636f6d2f616c696365" +
	"ca011968747470733a2f2f6578616d706c652e636f6d2f612e706e67d20114687474703a2f2f616c6963652e6578616d706c65" +
	"da010666656d616c65e2010a313835322d30352d3034ea010d4575726f70652f4c6f6e646f6ef20105656e2d4742" +
	"fa01102b34342032302037393436203030303082021031204465616e6572790a4f78666f72648a020931204465616e657279" +
	"9202064f78666f72649a02044f786f6ea202034f5831aa02024742"

// A record that was written once is read by every later release: what this test
// holds changes by fields that are added, never otherwise.
func TestTheFormOfTheRecordNeverChanges(t *testing.T) {
	rec := recordOf(t, fixed())
	if got := hex.EncodeToString(rec.Value); got != golden {
		t.Errorf("the record is\n%s, want\n%s", got, golden)
	}
	rec.Value, _ = hex.DecodeString(golden)
	got, err := user.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(fixed(), got); diff != "" {
		t.Errorf("the golden record (-want +got):\n%s", diff)
	}
}

func TestEveryUserIsReadBackAsItWasWritten(t *testing.T) {
	back := func(texts [23]string, roles, groups []string, flags [3]bool, seconds [3]int64, nanos, epoch, tokens uint32) bool {
		at := func(i int) time.Time { return time.Unix(seconds[i], int64(nanos%1e9)).UTC() }
		u := user.User{
			Subject: "AAAAAAAAAAAAAAAAAAAAAA", Login: texts[0], Email: texts[1], EmailVerified: flags[0], Name: texts[2], GivenName: texts[3],
			FamilyName: texts[4], Roles: roles, Groups: groups, Disabled: flags[1], Password: user.NewPasswordHash(texts[5]),
			Created: at(0), Updated: at(1), PasswordChanged: at(2), Epoch: epoch, TokenEpoch: tokens,
			Profile: user.Profile{
				MiddleName: texts[6], Nickname: texts[7], PreferredUsername: texts[8], Page: texts[9], Picture: texts[10],
				Website: texts[11], Gender: texts[12], Birthdate: texts[13], Zoneinfo: texts[14], Locale: texts[15],
				PhoneNumber: texts[16], PhoneNumberVerified: flags[2], Address: user.Address{
					Formatted: texts[17], StreetAddress: texts[18], Locality: texts[19], Region: texts[20], PostalCode: texts[21], Country: texts[22],
				},
			},
		}
		got, err := user.Decode(recordOf(t, u))
		return err == nil && differ(u, got) == ""
	}
	if err := quick.Check(back, nil); err != nil {
		t.Error(err)
	}
	empty := user.User{Subject: "AAAAAAAAAAAAAAAAAAAAAA"}
	if got, err := user.Decode(recordOf(t, empty)); err != nil || differ(empty, got) != "" {
		t.Errorf("an empty user: %+v, %v", got, err)
	}
}

// future is a field that this release does not know.
func future() []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from the future")
}

func TestARecordOfANewerReleaseIsReadAndNotShortened(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	read := func() []byte {
		records, err := c.Get(t.Context(), user.Key(alice.Subject))
		if err != nil {
			t.Fatal(err)
		}
		return records[0].Value
	}
	if _, err := c.Commit(t.Context(), store.Put(user.Key(alice.Subject), append(read(), future()...))); err != nil {
		t.Fatal(err)
	}
	named := func(u *user.User) error { u.Name = "Alice"; return nil }
	for range 2 { // the second time nothing changes
		if _, err := d.Update(t.Context(), alice.Subject, named); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(read()); strings.Count(got, string(future())) != 1 || !strings.Contains(got, "Alice") {
		t.Errorf("got %q, want the name and the field of the future", got)
	}
}

func TestARecordThatCannotBeReadIsOurFault(t *testing.T) {
	good := string(recordOf(t, fixed()).Value)
	for _, value := range []string{
		"", "null", "[]", "{", `{"v":1,"login":"alice"}`, "\x08\x02", "\x12\x01x", good[:len(good)-1],
		"\x08\x01\x20\x02" /* disabled: 2 */, "\x08\x01\x10\x80\x80\x80\x80\x10", /* an epoch of 33 bits */
	} {
		_, err := user.Decode(store.Record{Key: "user/x", Value: []byte(value), Version: 1})
		if err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("%q: %v, want an internal error", value, err)
		}
	}
	if _, err := user.Decode(store.Record{Key: "user", Value: []byte(good), Version: 1}); fault.KindOf(err) != fault.Internal {
		t.Errorf("under a foreign key: %v, want an internal error", err)
	}
	_, err := user.Decode(store.Record{Key: "user/x", Value: []byte("{}"), Version: 1})
	if err == nil || !strings.Contains(err.Error(), "unreleased version") {
		t.Errorf("JSON: %v, want a sentence about unreleased versions", err)
	}
	_, err = user.Decode(store.Record{Key: "user/x"})
	wantKind(t, err, fault.NotFound, "")
	if _, err := user.Replace(user.User{Subject: "alice"}, 0); err == nil {
		t.Error("a user is written under a subject that nobody has")
	}
}

// Each code and each refresh reads one, whatever its profile holds.
func TestAUserIsReadAndWrittenInFewAllocations(t *testing.T) {
	for name, u := range map[string]user.User{"usual": usual(), "every claim": detailed()} {
		rec := recordOf(t, u)
		// The copy, roles and groups.
		if read := testing.AllocsPerRun(100, func() { _, _ = user.Decode(rec) }); read > 3 {
			t.Errorf("%s: %v allocations to read, want 3", name, read)
		}
	}
	u := usual()
	if written := testing.AllocsPerRun(100, func() { _, _ = user.Replace(u, 1) }); written > 2 {
		t.Errorf("%v allocations to write, want the key and the value", written)
	}
}

// Whatever is read as a user means the same when it is written and read again.
func FuzzAUserSurvivesBeingWrittenBack(f *testing.F) {
	raw, err := hex.DecodeString(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(append(raw, future()...))
	f.Add(raw[:40])
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := user.Decode(store.Record{Key: user.Key("AAAAAAAAAAAAAAAAAAAAAA"), Value: value, Version: 1})
		if err != nil {
			return
		}
		again, err := user.Decode(recordOf(t, first))
		if diff := differ(first, again); err != nil || diff != "" {
			t.Errorf("%v (-first +again):\n%s", err, diff)
		}
	})
}
