//go:build !unix

package interop

import (
	"os"
	"testing"
)

// A process can't be made to stand still here: nothing happens to it.
func freeze(*testing.T, *os.Process) {}

func thaw(*testing.T, *os.Process) {}
