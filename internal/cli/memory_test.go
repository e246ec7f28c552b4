package cli_test

import (
	"runtime"
	"testing"

	"github.com/signet-id/signet/internal/cli"
)

func TestTheCollectorWaitsLongerUnlessTheEnvironmentDecides(t *testing.T) {
	for _, tc := range []struct {
		environ []string
		waits   bool
	}{
		{nil, true},
		{[]string{"HOME=/root", "GOGCX=1", "GOGC="}, true}, // empty counts as unset, to Go as well
		{[]string{"HOME=/root", "GOGC=50"}, false},
		{[]string{"GOGC=off"}, false},
		{[]string{"GOMEMLIMIT=200MiB"}, false},
	} {
		before := nextCollection()
		release := cli.Reserve(tc.environ)
		later := nextCollection() - before
		release()
		const most = 4 << 20 // of what the rest of the process does meanwhile
		if (later > most) != tc.waits {
			t.Errorf("with %q the next collection comes %d bytes later; it should wait: %v", tc.environ, later, tc.waits)
		}
		if left := nextCollection() - before; left > most {
			t.Errorf("with %q %d bytes are kept after their release", tc.environ, left)
		}
	}
}

// nextCollection is the size of the heap at which it is collected.
func nextCollection() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.NextGC)
}
