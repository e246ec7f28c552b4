package demo

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAShelfForgetsAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf[int](10, time.Minute)
		name := s.add(7)
		time.Sleep(59 * time.Second)
		if v, ok := s.get(name); !ok || v != 7 {
			t.Errorf("after 59 s: %d, %v, want 7", v, ok)
		}
		time.Sleep(time.Second)
		if _, ok := s.get(name); ok {
			t.Error("still there after a minute")
		}
		if _, ok := s.take(name); ok {
			t.Error("taken after a minute")
		}
	})
}

func TestAFullShelfLosesItsOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf[int](3, time.Hour)
		var names []string
		for i := range 5 {
			names = append(names, s.add(i))
			time.Sleep(time.Second)
		}
		for i, name := range names {
			if _, ok := s.get(name); ok != (i >= 2) {
				t.Errorf("value %d is there: %v, want only the last 3", i, ok)
			}
		}
		if len(s.places) != 3 {
			t.Errorf("%d places, want 3", len(s.places))
		}
	})
}

func TestWhatIsTakenIsTakenByOne(t *testing.T) {
	s := newShelf[int](10, time.Hour)
	name := s.add(1)
	var got atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, ok := s.take(name); ok {
				got.Add(1)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("%d callers took it, want exactly 1", got.Load())
	}
}
