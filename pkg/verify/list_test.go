package verify

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The vectors are those of the specification, for every size of entries.
func TestEveryVectorOfTheSpecificationDecodes(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name, Lst     string
			Bits, Entries int
			Nonzero       map[string]int
		}
	}
	content, err := os.ReadFile("testdata/token-status-list.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &file); err != nil || len(file.Vectors) < 5 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		got, want := map[uint32]bool{}, map[uint32]bool{}
		for index := range v.Nonzero {
			n, err := strconv.Atoi(index)
			if err != nil {
				t.Fatal(err)
			}
			want[uint32(n)] = true
		}
		entries, err := decodeList(v.Bits, v.Lst, func(index uint32) { got[index] = true })
		if err != nil || entries != v.Entries || !maps.Equal(got, want) {
			t.Errorf("%s: %d entries, %v\n got %v\nwant %v", v.Name, entries, err, got, want)
		}
	}
}

func TestAListIsDecodedNoFurtherThanItMayReach(t *testing.T) {
	var bomb bytes.Buffer
	w := zlib.NewWriter(&bomb)
	_, _ = w.Write(bytes.Repeat([]byte{0xff}, 16<<20))
	_ = w.Close()
	for _, bits := range []int{1, 2, 4, 8} {
		read := 0
		_, err := decodeList(bits, strictBase64.EncodeToString(bomb.Bytes()), func(uint32) { read++ })
		if err == nil || read > listSize {
			t.Errorf("%d bits: %v after %d entries", bits, err, read)
		}
	}
	for _, bits := range []int{-1, 0, 3, 5, 16} {
		if _, err := decodeList(bits, "eNrbuRgAAhcBXQ", func(uint32) {}); err == nil {
			t.Errorf("%d bits are none of the sizes there are", bits)
		}
	}
}

func TestAListCostsNothingUntilSomethingEnds(t *testing.T) {
	l := &list{}
	if l.ended(7) || l.bits.Load() != nil {
		t.Error("a list in which nothing ended has bits")
	}
	for _, index := range []uint32{0, 63, 64, 4095, 4096, listSize - 1} {
		if l.ended(index) {
			t.Errorf("%d has ended before it did", index)
		}
		if l.set(index, 1) != 1 || l.set(index, 1) != 0 || !l.ended(index) {
			t.Errorf("%d was not set once", index)
		}
	}
	pages := 0
	for i := range l.bits.Load() {
		if l.bits.Load()[i].Load() != nil {
			pages++
		}
	}
	if pages != 3 {
		t.Errorf("%d pages, want 3", pages)
	}
	if got := l.set(4000, 200); got != 198 { // 4095 and 4096 were
		t.Errorf("%d of 200 were news, want 198", got)
	}
}

// A machine that was suspended, or whose clock was set, does not take old
// knowledge for new.
func TestKnowledgeIsAsOldAsTheClockSaysThatHasCountedMore(t *testing.T) {
	heard := moment{wall: 1000 * time.Hour, mono: time.Hour}
	for name, c := range map[string]struct {
		now  moment
		want time.Duration
	}{
		"both clocks agree":            {moment{1000*time.Hour + time.Minute, time.Hour + time.Minute}, time.Minute},
		"suspended for an hour":        {moment{1001*time.Hour + time.Second, time.Hour + time.Second}, time.Hour + time.Second},
		"the clock is set back a day":  {moment{976 * time.Hour, time.Hour + time.Minute}, time.Minute},
		"the clock is set ahead a day": {moment{1024 * time.Hour, time.Hour + time.Minute}, 24 * time.Hour},
		"another processor is behind":  {moment{1000*time.Hour - 1, time.Hour - 1}, 0},
	} {
		l := &list{}
		s := &span{}
		s.heard.Store(&heard)
		l.span.Store(s)
		if got := l.age(c.now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWhatWasSignedLongAgoTellsHowThingsWereThen(t *testing.T) {
	now := moment{wall: 1000 * time.Hour, mono: time.Hour}
	for age, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 0: 0, 150 * time.Second: 0, 151 * time.Second: 151 * time.Second, time.Hour: time.Hour,
	} {
		if got := now.since(*heardAt(now, int64((now.wall-age)/time.Second))); got != want {
			t.Errorf("signed %v ago: %v old, want %v", age, got, want)
		}
	}
}

// silent are endings without an issuer.
func silent() *endings {
	return newEndings("https://id.example.com", &http.Client{}, newFollower(nil, nil, nil), slog.New(slog.DiscardHandler))
}

// heardFrom is a list that e holds by a span that was last heard age ago.
func (e *endings) heardFrom(uri string, age time.Duration) (*list, *span) {
	s := &span{}
	now := e.moment(time.Now())
	s.heard.Store(now.before(age))
	e.span.Store(s)
	l := e.of(uri, time.Now().Add(time.Hour).Unix())
	l.span.Store(s)
	return l, s
}

// While a gap is being closed, requests read what the stream writes. None may see
// the time of the news without the news.
func TestNoRequestSeesANewTimeWithAnOldBit(t *testing.T) {
	e := silent()
	v := &Verifier{endings: e, patience: patience{time.Minute, RefuseStale}, tally: newTally()}
	for range 2000 {
		l, s := e.heardFrom("https://id.example.com/status/1", time.Hour)
		l.bits.Store(nil)
		c := &claims{list: l, index: 7}
		m := message{IssuedAt: time.Now().Unix(), Ended: []ending{{URI: l.uri, Index: []uint64{7}}}}
		var wg sync.WaitGroup
		wg.Go(func() { e.apply(s, m) })
		for refusal := fail(EndingsStale); refusal.Reason != Ended; {
			if _, refusal = v.weigh(c, time.Now()); refusal == nil {
				t.Fatal("accepted a token that had ended in the gap")
			}
		}
		wg.Wait()
	}
}

func TestAListThatATokenMayNeedIsNotForgotten(t *testing.T) {
	e := silent()
	e.born = time.Now().Add(-24 * time.Hour)
	l := e.of("https://id.example.com/status/1", time.Now().Add(time.Hour).Unix())
	l.born = moment{}
	e.drop(e.moment(time.Now()))
	if e.of(l.uri, 0) != l {
		t.Error("forgotten while a token was alive")
	}
	e.drop(e.moment(time.Now().Add(time.Hour + leeway - time.Second)))
	if e.of(l.uri, 0) != l {
		t.Error("forgotten within the leeway of its last token")
	}
	e.drop(e.moment(time.Now().Add(time.Hour + leeway + time.Second)))
	if e.of(l.uri, 0) == l {
		t.Error("kept though no token can be alive")
	}
}

// What was told before a list was known to us is not in its bits: only a list
// that is complete to there can be held.
func TestAListThatIsMetLateNeedsALaterPosition(t *testing.T) {
	e := silent()
	s := e.begins(message{Position: 100, IssuedAt: time.Now().Unix()})
	e.live.Store(true)
	e.apply(s, message{Position: 200, IssuedAt: time.Now().Unix()})
	l := e.of("https://id.example.com/status/1", time.Now().Add(time.Hour).Unix())
	for position, want := range map[uint64]bool{150: false, 199: false, 200: true, 300: true} {
		l.span.Store(nil)
		l.polled.Store(nil)
		e.install(l, answered{listToken: listToken{IssuedAt: time.Now().Unix(), Position: position}}, e.moment(time.Now()))
		if l.known() != want {
			t.Errorf("complete to %d: held %v, want %v", position, l.known(), want)
		}
	}
	// Without the stream, a cache that is behind what the stream told says nothing.
	e.live.Store(false)
	l.polled.Store(nil)
	l.span.Store(s)
	l.position = 150
	e.install(l, answered{listToken: listToken{IssuedAt: time.Now().Unix(), Position: 160}}, e.moment(time.Now()))
	if l.polled.Load() != nil {
		t.Error("confirmed by a list that is older than what the stream told")
	}
	// But where nothing was held, an old list is better than none;
	// only the stream's next message must not confirm it.
	l.span.Store(nil)
	l.position = 0
	e.install(l, answered{listToken: listToken{IssuedAt: time.Now().Unix(), Position: 150}}, e.moment(time.Now()))
	if l.span.Load() != nil || !l.known() {
		t.Errorf("by the stream %v, known %v, want neither more nor less than polled", l.span.Load() != nil, l.known())
	}
}

// Reading in pieces gives what reading at once gives, and no more than was sent.
func FuzzEventsAreTheSameHoweverTheyAreCut(f *testing.F) {
	f.Add("id: 1-2\nevent: beat\ndata: a.b.c\n\n", uint8(3))
	f.Add("\ufeffdata:x\r\rdata: y\r\n\r\n: comment\nretry: 7\ndata\ndata: z\n\n", uint8(1))
	f.Add("id: a\x00b\nid\ndata:  two spaces\nevent:x\n\n\n\ndata: never ended", uint8(7))
	f.Fuzz(func(t *testing.T, stream string, step uint8) {
		var whole, pieces eventParser
		want, err := whole.feed([]byte(stream))
		if err != nil {
			t.Skip()
		}
		var got []event
		for rest := []byte(stream); len(rest) > 0; {
			n := min(int(step)%16+1, len(rest))
			some, err := pieces.feed(rest[:n])
			if err != nil {
				t.Fatal(err)
			}
			got, rest = append(got, some...), rest[n:]
		}
		if len(got) != len(want) {
			t.Fatalf("%d events in pieces, %d at once", len(got), len(want))
		}
		plain := strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("event %d is %+v in pieces, %+v at once", i, got[i], want[i])
			}
			for line := range strings.SplitSeq(got[i].text, "\n") {
				if !strings.Contains(plain, line) {
					t.Errorf("%q was never sent", line)
				}
			}
		}
	})
}

// Whatever lst is, what it sets is what a simple reading of its bytes says, and
// nothing beyond the list.
func FuzzAListSaysWhatItsBytesSay(f *testing.F) {
	f.Add(1, []byte{0xb9, 0xa3}, true)
	f.Add(2, []byte{0xff, 0, 1}, true)
	f.Add(8, []byte("x\x9c not quite zlib"), false)
	f.Fuzz(func(t *testing.T, bits int, content []byte, pack bool) {
		packed := content
		if pack {
			var out bytes.Buffer
			w := zlib.NewWriter(&out)
			_, _ = w.Write(content)
			_ = w.Close()
			packed = out.Bytes()
		}
		got := map[uint32]bool{}
		_, err := decodeList(bits, strictBase64.EncodeToString(packed), func(index uint32) { got[index] = true })
		for index := range got {
			if index >= listSize {
				t.Fatalf("index %d is beyond the list", index)
			}
		}
		if err != nil {
			return
		}
		r, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for index := range len(plain) * 8 / bits {
			at := index * bits
			if status := plain[at/8] >> (at % 8) & byte(1<<bits-1); (status != 0) != got[uint32(index)] {
				t.Errorf("entry %d is %d, and set %v", index, status, got[uint32(index)])
			}
		}
	})
}

// Whatever the issuer signs as a message, only lists of its own and entries
// within them come to anything.
func FuzzAMessageStaysWithinTheIssuersLists(f *testing.F) {
	const prefix = "https://id.example.com/"
	f.Add(`{"iss":"x","iat":1,"position":7,"ended":[{"uri":"https://id.example.com/status/1","idx":[5],"ranges":[[1048575,1]]}]}`)
	f.Add(`{"iss":"x","iat":1,"position":7,"opened":["https://id.example.com.evil/"],"ended":[{"ranges":[[18446744073709551615,2]]}]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		m, err := parseMessage(event{id: "7-0"}, []byte(payload), "x", prefix)
		if err != nil {
			return
		}
		if m.Position != 7 || m.Issuer != "x" {
			t.Errorf("position %d of %q", m.Position, m.Issuer)
		}
		for _, uri := range m.Opened {
			if !strings.HasPrefix(uri, prefix) {
				t.Errorf("opens %q", uri)
			}
		}
		for _, one := range m.Ended {
			if !strings.HasPrefix(one.URI, prefix) {
				t.Errorf("ends something in %q", one.URI)
			}
			one.apply(&list{}) // and is within it, or this panics
		}
	})
}

// The check itself: how old is the knowledge, and is the bit set.
func BenchmarkStatusCheck(b *testing.B) {
	e := silent()
	v := &Verifier{endings: e, patience: patience{time.Minute, MarkStale}, tally: newTally()}
	l, _ := e.heardFrom("https://id.example.com/status/1", time.Second)
	l.polled.Store(l.span.Load().heard.Load())
	l.set(8, 1)
	c, now := &claims{list: l, index: 7}, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if tok, refusal := v.weigh(c, now); refusal != nil || tok.Stale() {
			b.Fatal(refusal)
		}
	}
}
