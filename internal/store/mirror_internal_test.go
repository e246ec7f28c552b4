package store

import (
	"fmt"
	"testing"
	"time"
)

func TestAMirrorForgetsWhatHasExpired(t *testing.T) {
	m := &Mirror[int]{entries: map[string]entry[int]{}}
	soon := time.Now().Add(-time.Second)
	for i := range Version(10_000) {
		m.apply(step[int]{key: fmt.Sprint(i), entry: entry[int]{version: i + 1, expires: soon}}, i+1)
	}
	if n := len(m.entries); n > 2*mirrorPage {
		t.Errorf("the copy keeps %d expired records", n)
	}
}
