//go:build unix

package statuslist_test

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/status"
)

// dialBare connects without the runtime's knowledge, so that only the server's
// end is in its books.
func dialBare(t testing.TB, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: number, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		_, err = syscall.Write(fd, []byte("GET /status/stream HTTP/1.1\r\nHost: id.example.com\r\n\r\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func closeBare(fd int) { _ = syscall.Close(fd) }

// BenchmarkListeners measures what an idle listener costs this process, which
// holds both ends of the connection: the client's end is a bare file descriptor.
func BenchmarkListeners(b *testing.B) {
	many, err := strconv.Atoi(os.Getenv("LISTENERS"))
	if err != nil {
		many = 1000
	}
	var listening atomic.Int64
	s := serve(b, func(o *status.Options) {
		o.ListenersPerAddress = many
		o.Count.Listeners = func(now int) { listening.Store(int64(now)) }
	}, httpd.TLS{})
	for b.Loop() {
		before := memory()
		fds := make([]int, many)
		for i := range fds {
			fds[i] = dialBare(b, s.address)
		}
		for listening.Load() < int64(many) {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(500 * time.Millisecond) // and all have their hello
		b.ReportMetric(float64(memory()-before)/float64(many), "bytes/listener")
		for _, fd := range fds {
			closeBare(fd)
		}
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
