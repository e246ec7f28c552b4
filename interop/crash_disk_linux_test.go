package interop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// obey does what the parent writes: full makes every write to a file fail from
// now on, as on a disk that is full; room ends that. It ends the process when
// the parent is gone.
func obey(orders io.Reader, done io.Writer) {
	// Without this the kernel's signal for it would end the process.
	signal.Ignore(syscall.SIGXFSZ)
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Fprintln(done, err)
			continue
		}
		limit.Cur = limit.Max
		if lines.Text() == "full" {
			limit.Cur = 0
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Fprintln(done, err)
			continue
		}
		fmt.Fprintln(done, lines.Text())
	}
	os.Exit(1)
}
