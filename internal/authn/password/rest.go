package password

import (
	"runtime/metrics"
	"time"
)

const (
	// share is the part of a processor that hashing gets where others want it too.
	share = 0.25
	// noticed is the shortest wait for a processor that counts: the scheduler
	// itself takes some microseconds.
	noticed = 100 * time.Microsecond
)

// leave gives the turn back after a hash that took so long, while others waited so
// long for a processor: at once where nobody wanted one, else when hashing has
// rested for long enough that it had no more than its share. Go's scheduler would
// give a hash, which never waits, most of a processor whose other users work for a
// tenth of a millisecond at a time.
func (h *Hasher) leave(took, others time.Duration) {
	quick := h.quickest(took)
	if rest := restAfter(took, quick, others); rest > 0 {
		time.AfterFunc(rest, func() { <-h.running })
		return
	}
	<-h.running
}

// quickest is the shortest time that a hash ever took here.
func (h *Hasher) quickest(took time.Duration) time.Duration {
	for {
		quick := h.quick.Load()
		if quick != 0 && int64(took) >= quick {
			return time.Duration(quick)
		}
		if h.quick.CompareAndSwap(quick, int64(took)) {
			return took
		}
	}
}

// restAfter is how long to rest after a hash that took so long and can be done in
// quick. A processor was wanted by others when the hash took half as long again, as
// it does beside another process, or when there was always somebody in this one
// who waited.
func restAfter(took, quick, others time.Duration) time.Duration {
	if took < quick+quick/2 && others < took {
		return 0
	}
	return max(0, time.Duration(float64(quick)/share)-took)
}

// waited is how long goroutines of this process have waited for a processor until
// now, taken together.
func waited() (sum time.Duration) {
	latencies := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(latencies)
	if latencies[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0 // a Go without it
	}
	histogram := latencies[0].Value.Float64Histogram()
	for i, count := range histogram.Counts {
		if least := histogram.Buckets[i]; least >= noticed.Seconds() {
			sum += time.Duration(float64(count) * least * float64(time.Second))
		}
	}
	return sum
}
