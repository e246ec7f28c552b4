package verify_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

const (
	listURI   = issuerURL + "/status/3" // of goodClaims
	listIndex = 70123
	pathOf3   = "/status/3"
	streamAt  = "/status/stream"
)

// list is a signed status list with these bits set, and the changes made.
func (s *signer) list(uri string, changes object, ended ...int) string {
	return s.listOf(object{"typ": "statuslist+jwt"}, uri, changes, ended...)
}

func (s *signer) listOf(header object, uri string, changes object, ended ...int) string {
	bits := make([]byte, 1<<17)
	for _, index := range ended {
		bits[index/8] |= 1 << (index % 8)
	}
	lst := nothingEnded()
	if len(ended) > 0 {
		lst = encode(deflate(bits))
	}
	now := time.Now().Unix()
	payload := change(object{
		"iss": issuerURL, "sub": uri, "iat": now, "exp": now + 3600, "ttl": 60, "position": 1,
		"status_list": object{"bits": 1, "lst": lst},
	}, changes)
	return s.signParts(string(mustJSON(change(s.header(), header))), string(mustJSON(payload)))
}

// nothingEnded is the list that tests ask for most.
var nothingEnded = sync.OnceValue(func() string { return encode(deflate(make([]byte, 1<<17))) })

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// told is one message that the stream has carried.
type told struct {
	position uint64
	at       int64
	kind     string
	text     string
	ended    []object
}

func (m told) wire() string {
	return fmt.Sprintf("id: %d-%d\nevent: %s\ndata: %s\n\n", m.position, m.at, m.kind, m.text)
}

// journal is the part of an issuer that tells of endings: lists, aggregation and
// stream, by the wire format, with everything that can go wrong.
type journal struct {
	mu        sync.Mutex
	signer    *signer
	header    object // changes to the header of messages and lists
	position  uint64
	chain     string
	history   []told
	lists     map[string][]int
	listeners []*feed
	asked     []string // the Last-Event-ID of each request for the stream
	lists404  bool
	status    int // of the stream, instead of 200
	forgotten bool
	listBody  func(uri string) string // instead of the list
	hello     object                  // changes to a hello that resumes
	mute      bool                    // nothing reaches the listeners
	noCache   int                     // list requests that passed by caches
	same      int                     // 304
	age       string                  // of lists
}

// withJournal runs f with an issuer that tells of endings.
func withJournal(t *testing.T, f func(t *testing.T, i *issuer, s *signer, j *journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.ES256, "k1")
		i := newIssuer(s)
		j := i.tell(s)
		f(t, i, s, j)
	})
}

// tell makes i tell of endings, by messages of s. It begins with one open list.
func (i *issuer) tell(s *signer) *journal {
	j := &journal{signer: s, position: 100, chain: "genesis", lists: map[string][]int{listURI: nil}}
	i.journal = j
	i.metadata["status_stream_endpoint"] = issuerURL + streamAt
	i.metadata["status_list_aggregation_endpoint"] = issuerURL + "/status"
	return j
}

func (j *journal) with(f func(j *journal)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j)
}

// beat sends beats until the test's context ends.
func (j *journal) beat(t *testing.T) {
	go func() {
		for {
			select {
			case <-time.After(15 * time.Second):
				j.say("beat", nil)
			case <-t.Context().Done():
				return
			}
		}
	}()
}

// end ends tokens of the list of goodClaims.
func (j *journal) end(index ...int) { j.endOf(listURI, index...) }

func (j *journal) endOf(uri string, index ...int) {
	j.with(func(j *journal) {
		j.position++
		j.lists[uri] = append(j.lists[uri], index...)
	})
	j.say("ended", object{"ended": []object{{"uri": uri, "idx": index}}})
}

// open begins a list.
func (j *journal) open(uri string) {
	j.with(func(j *journal) { j.position++; j.lists[uri] = nil })
	j.say("ended", object{"opened": []string{uri}})
}

// say sends a message to every listener.
func (j *journal) say(kind string, changes object) {
	j.with(func(j *journal) {
		m := j.sign(kind, changes)
		j.chain = chainOf(m.text)
		j.history = append(j.history, m)
		if !j.mute {
			j.send(m.wire())
		}
	})
}

func chainOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return encode(sum[:16])
}

func (j *journal) sign(kind string, changes object) told {
	now := time.Now()
	payload := change(object{"iss": issuerURL, "iat": now.Unix(), "position": j.position, "chain": j.chain}, changes)
	m := told{position: payload["position"].(uint64), at: now.UnixMilli(), kind: kind}
	m.ended, _ = payload["ended"].([]object)
	m.text = j.signer.signParts(string(mustJSON(change(object{"typ": "status-event+jwt", "alg": j.signer.alg, "kid": j.signer.kid}, j.header))), string(mustJSON(payload)))
	return m
}

// send writes to every listener, whatever it is.
func (j *journal) send(text string) {
	for _, f := range j.listeners {
		f.write(text)
	}
}

// cut ends every connection, perhaps in the middle of an event.
func (j *journal) cut(half string) {
	j.with(func(j *journal) {
		for _, f := range j.listeners {
			f.write(half)
			f.end(io.ErrUnexpectedEOF)
		}
		j.listeners = nil
	})
}

func (j *journal) answer(req *http.Request) *http.Response {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch uri := req.URL.String(); {
	case req.URL.Path == streamAt:
		return j.stream(req)
	case req.URL.Path == "/status":
		return reply(req, http.StatusOK, mustJSON(object{"status_lists": slices.Sorted(maps.Keys(j.lists))}))
	default:
		return j.list(req, uri)
	}
}

func (j *journal) list(req *http.Request, uri string) *http.Response {
	if req.Header.Get("Cache-Control") == "no-cache" {
		j.noCache++
	}
	ended, ok := j.lists[uri]
	if !ok || j.lists404 {
		return reply(req, http.StatusNotFound, nil)
	}
	etag := strconv.Quote(fmt.Sprint(ended))
	if j.listBody == nil && req.Header.Get("If-None-Match") == etag {
		j.same++
		return reply(req, http.StatusNotModified, nil)
	}
	body := j.signer.listOf(change(object{"typ": "statuslist+jwt"}, j.header), uri, object{"position": j.position}, ended...)
	if j.listBody != nil {
		body = j.listBody(uri)
	}
	resp := reply(req, http.StatusOK, []byte(body))
	resp.Header.Set("ETag", etag)
	resp.Header.Set("Age", j.age)
	return resp
}

func (j *journal) stream(req *http.Request) *http.Response {
	last := req.Header.Get("Last-Event-ID")
	j.asked = append(j.asked, last)
	if j.status != 0 {
		return reply(req, j.status, nil)
	}
	changes := object{"chain": nil, "next": j.chain, "refetch": true}
	if text, _, ok := strings.Cut(last, "-"); ok && !j.forgotten {
		from, _ := strconv.ParseUint(text, 10, 64)
		var ended []object
		for _, m := range j.history {
			if m.position > from {
				ended = append(ended, m.ended...)
			}
		}
		changes["refetch"], changes["ended"] = nil, ended
		changes = change(changes, j.hello)
	}
	f := newFeed(req)
	j.listeners = append(j.listeners, f)
	f.write(": welcome\n\n" + j.sign("hello", changes).wire())
	resp := reply(req, http.StatusOK, nil)
	resp.Header.Set("Content-Type", "text/event-stream; charset=utf-8")
	resp.Body = f
	return resp
}

func reply(req *http.Request, status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Request: req, Body: io.NopCloser(bytes.NewReader(body))}
}

// feed is the body of a response that goes on.
type feed struct {
	mu   sync.Mutex
	more *sync.Cond
	text []byte
	err  error
}

func newFeed(req *http.Request) *feed {
	f := &feed{}
	f.more = sync.NewCond(&f.mu)
	go func() {
		<-req.Context().Done()
		f.end(req.Context().Err())
	}()
	return f
}

func (f *feed) write(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.text = append(f.text, text...)
		f.more.Broadcast()
	}
}

func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		f.more.Broadcast()
	}
}

func (f *feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.text) == 0 && f.err == nil {
		f.more.Wait()
	}
	if len(f.text) == 0 {
		return 0, f.err
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}

func (f *feed) Close() error {
	f.end(errors.New("the body is closed"))
	return nil
}

// listening makes a verifier of i that is in step with its journal.
func (i *issuer) listening(t *testing.T, options ...verify.Option) *verify.Verifier {
	t.Helper()
	v := i.verifier(t, options...)
	i.journal.mu.Lock()
	position := i.journal.position
	i.journal.mu.Unlock()
	if err := v.Await(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return v
}
