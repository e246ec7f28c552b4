package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// room is how much more than usual the heap may hold before it is collected. An
// issuer uses a few MB, and Go collects when they have doubled: every few
// milliseconds of a busy second. docs/operating.md has what was measured.
const room = 8 << 20

// Reserve makes the collector of this process wait longer. It takes memory and
// never touches it, so that it occupies nothing and yet counts as in use; release
// gives it back. A percentage (debug.SetGCPercent) would do as well for the few
// MB, but it multiplies the memory of password hashes too.
//
// Whoever sets GOGC or GOMEMLIMIT in the environment has decided otherwise. It is
// for the owner of a process, once the issuer is composed: what composing leaves
// behind is collected then, and goes back to the system.
func Reserve(environ []string) (release func()) {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if (name == "GOGC" || name == "GOMEMLIMIT") && value != "" {
			return func() {}
		}
	}
	untouched := make([]byte, room)
	debug.FreeOSMemory()
	return func() { runtime.KeepAlive(untouched) }
}
