package boltstore_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// populationSize is how many users with a session and a grant the benchmarks of
// flows work over; SIGNET_BENCH_USERS asks for more, by hand.
func populationSize(b *testing.B) int {
	if s := os.Getenv("SIGNET_BENCH_USERS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 100_000
}

// population is a store as a deployment has it: each user with a session and a
// grant, under names as random as the real ones.
type population struct {
	path   string
	people []person
	client store.Version
}

type person struct {
	user, session, grant string
	version              store.Version
}

func name() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

const grantSize = 350

func populate(b *testing.B) *population {
	b.Helper()
	p := &population{path: filepath.Join(b.TempDir(), "signet.db")}
	s, err := boltstore.Open(p.path, boltstore.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	p.client = commit(b, s, store.Put("client/orders", make([]byte, 600)))
	var next atomic.Int64
	n := int64(populationSize(b))
	p.people = make([]person, n)
	done := make(chan struct{})
	const seeders, each = 64, 40
	for range seeders {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				from := next.Add(each) - each
				if from >= n {
					return
				}
				var ops []store.Op
				to := min(from+each, n)
				for i := from; i < to; i++ {
					sub, sid := name(), name()
					p.people[i] = person{user: "user/" + sub, session: "session/" + sub + "/" + sid, grant: "grant/" + sub + "/" + sid + "/" + name()}
					ops = append(ops,
						store.Put(p.people[i].user, make([]byte, 250)),
						store.Put(p.people[i].session, make([]byte, 200)).Until(time.Now().Add(10*time.Hour)),
						store.Put(p.people[i].grant, make([]byte, grantSize)).Until(time.Now().Add(720*time.Hour)))
				}
				v := commit(b, s, ops...)
				for i := from; i < to; i++ {
					p.people[i].version = v
				}
			}
		}()
	}
	for range seeders {
		<-done
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return p
}

func commit(b *testing.B, s store.Store, ops ...store.Op) store.Version {
	v, err := s.Commit(b.Context(), ops...)
	if err != nil {
		b.Error(err)
	}
	return v
}

// cost is what this process has used.
type cost struct {
	cpu     time.Duration
	written int64
}

func spent() cost {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	c := cost{cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano())}
	raw, _ := os.ReadFile("/proc/self/io")
	for line := range bytes.Lines(raw) {
		_, _ = fmt.Sscanf(string(line), "wchar: %d", &c.written)
	}
	return c
}

func (c cost) report(b *testing.B, s *boltstore.Store, before boltstore.Stats) {
	now, stats := spent(), s.Stats()
	b.ReportMetric(float64(now.cpu-c.cpu)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(now.written-c.written)/4096/float64(b.N), "pages/op")
	b.ReportMetric(float64(stats.Commits-before.Commits)/float64(max(1, stats.Transactions-before.Transactions)), "commits/fsync")
}

func BenchmarkFlows(b *testing.B) {
	p := populate(b)
	var turn atomic.Int64
	flows := map[string]func(s store.Store){
		"redeem": func(s store.Store) {
			who := &p.people[int(turn.Add(1))*7919%len(p.people)]
			commit(b, s,
				store.Put("code/"+name()+name(), nil).IfAbsent().Until(time.Now().Add(5*time.Minute)),
				store.Put("grant/"+who.session[len("session/"):]+"/"+name(), make([]byte, grantSize)).Until(time.Now().Add(720*time.Hour)),
				store.Unchanged(who.user, who.version), store.Unchanged(who.session, who.version), store.Unchanged("client/orders", p.client))
		},
		"refresh": func(s store.Store) {
			who := &p.people[int(turn.Add(1))*7919%len(p.people)]
			commit(b, s,
				store.Put(who.grant, make([]byte, grantSize)).Until(time.Now().Add(720*time.Hour)),
				store.Unchanged(who.user, who.version), store.Unchanged(who.session, who.version), store.Unchanged("client/orders", p.client))
		},
	}
	for _, sync := range []bool{true, false} {
		for _, flow := range []string{"redeem", "refresh"} {
			b.Run(fmt.Sprintf("%s/fsync=%t", flow, sync), func(b *testing.B) {
				s := open(b, p.path, boltstore.Options{NoSync: !sync})
				runtime.GC()
				b.ReportAllocs()
				b.SetParallelism(64 / runtime.GOMAXPROCS(0))
				b.ResetTimer()
				before, was := s.Stats(), spent()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						flows[flow](s)
					}
				})
				was.report(b, s, before)
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	p := populate(b)
	s := open(b, p.path, boltstore.Options{NoSync: true})
	for _, n := range []int{1, 3, 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			before, was := s.Stats(), spent()
			defer func() { was.report(b, s, before) }()
			for i := 0; b.Loop(); i++ {
				who := &p.people[i*7919%len(p.people)]
				keys := [...]string{who.session, who.user, who.grant, "client/orders"}
				if _, err := s.Get(b.Context(), keys[:n]...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		before, was := s.Stats(), spent()
		defer func() { was.report(b, s, before) }()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Get(b.Context(), "code/"+p.people[i%len(p.people)].grant); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	p := populate(b)
	for b.Loop() {
		s, err := boltstore.Open(p.path, boltstore.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = s.Close()
		b.StartTimer()
	}
	if st, err := os.Stat(p.path); err == nil {
		b.ReportMetric(float64(st.Size())/(1<<20), "MB")
	}
}
