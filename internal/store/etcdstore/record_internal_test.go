package etcdstore

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

func FuzzARecordComesBackAsItWas(f *testing.F) {
	f.Add("key", []byte("value"), int64(0))
	f.Add("\xff", []byte{}, int64(1))
	f.Add("", []byte{0}, int64(math.MaxInt64))
	s := space{prefix: "signet"}
	f.Fuzz(func(t *testing.T, key string, value []byte, ns int64) {
		var expires time.Time
		if ns > 0 {
			expires = time.Unix(0, ns)
		}
		r, err := s.decode(&mvccpb.KeyValue{Key: []byte(s.record(key)), Value: []byte(encode(value, expires)), ModRevision: 7})
		if err != nil {
			t.Fatal(err)
		}
		if r.Key != key || !bytes.Equal(r.Value, value) || !r.Expires.Equal(expires) || r.Version != 7 {
			t.Errorf("%q = %q until %s came back as %+v", key, value, expires, r)
		}
	})
}

// FuzzEtcdAndTheNodeJudgeExpiryAlike holds the comparison that etcd makes of the
// bytes against live, which compares numbers.
func FuzzEtcdAndTheNodeJudgeExpiryAlike(f *testing.F) {
	f.Add(int64(0), int64(5), []byte{})
	f.Add(int64(5), int64(5), []byte{})
	f.Add(int64(6), int64(5), []byte{})
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64-1), []byte{0xff})
	s := space{prefix: "signet"}
	f.Fuzz(func(t *testing.T, ns, nowNS int64, value []byte) {
		if nowNS < 1 || ns < 0 {
			t.Skip()
		}
		var expires time.Time
		if ns > 0 {
			expires = time.Unix(0, ns)
		}
		now, raw := time.Unix(0, nowNS), encode(value, expires)
		r, err := s.decode(&mvccpb.KeyValue{Key: []byte(s.record("k")), Value: []byte(raw), ModRevision: 1})
		if err != nil {
			t.Fatal(err)
		}
		cmp := s.alive("k", now)
		if byEtcd := strings.Compare(raw, string(cmp.ValueBytes())) > 0; byEtcd != r.live(now) {
			t.Errorf("expires %d, now %d: etcd says alive: %t, the node says %t", ns, nowNS, byEtcd, r.live(now))
		}
	})
}

func TestWhatAnotherProgramWroteIsNoRecord(t *testing.T) {
	s := space{prefix: "signet"}
	for name, kv := range map[string]*mvccpb.KeyValue{
		"too short":        {Key: []byte("signet/r/a"), Value: []byte("12345678")},
		"another layout":   {Key: []byte("signet/r/a"), Value: []byte("12345678\x02value")},
		"not under r/":     {Key: []byte("signet/a"), Value: []byte(encode(nil, time.Time{}))},
		"of another store": {Key: []byte("signet2/r/a"), Value: []byte(encode(nil, time.Time{}))},
	} {
		if r, err := s.decode(kv); err == nil {
			t.Errorf("%s: decoded as %+v", name, r)
		}
	}
}
