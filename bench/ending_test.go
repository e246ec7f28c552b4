package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// A bench runs this very binary as its children.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == roleEnding || os.Args[1] == roleIssuer || os.Args[1] == roleFloor) {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTheBenchOfEndingsPrintsEveryTable(t *testing.T) {
	var out bytes.Buffer
	if err := conductEnding(t.Context(), shortPlan(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"Commit to refusal", "Commit to known, every verifier", "bytes per verifier and ending", "listeners that wait",
		"per token", "slots on the wire", "ns added per verification",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
