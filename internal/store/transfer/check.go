package transfer

import (
	"context"
	"fmt"
	"strings"

	"github.com/signet-id/signet/internal/store"
)

// Decoder reads a record as its room does, and says what is wrong with it.
type Decoder func(store.Record) error

// Finding is a record that somebody can't read.
type Finding struct {
	Key   string `json:"key"`
	Wrong string `json:"wrong"`
}

// Report is what a Check came to.
type Report struct {
	Records  map[string]int // by prefix, up to its first slash
	Findings []Finding      // at most MaxFindings
	More     int            // beyond them
}

// MaxFindings is how many are told one by one.
const MaxFindings = 100

// Check reads every record of s, and has it read by the decoder of the longest
// prefix that it begins with. It changes nothing.
func Check(ctx context.Context, s store.Store, decoders map[string]Decoder, tell Tell) (Report, error) {
	report := Report{Records: map[string]int{}}
	p := Progress{Stage: "reading"}
	found := func(key, format string, args ...any) {
		if len(report.Findings) == MaxFindings {
			report.More++
			return
		}
		report.Findings = append(report.Findings, Finding{key, fmt.Sprintf(format, args...)})
	}
	for r, err := range records(ctx, s, "") {
		if err != nil {
			return report, err
		}
		if p.Records++; p.Records%store.MaxList == 0 {
			p.At = r.Key
			tell.say(p)
		}
		prefix, _, _ := strings.Cut(r.Key, "/")
		report.Records[prefix]++
		decode := decoderOf(r.Key, decoders)
		if decode == nil {
			found(r.Key, "nobody knows a record of this name; was it written by another release?")
			continue
		}
		if err := decode(r); err != nil {
			found(r.Key, "%s", err)
		}
	}
	tell.say(p)
	filled, is, err := readState(ctx, s)
	if err == nil && is && !filled.Whole {
		found(stateKey, "the store is half filled: a %s into it was not finished", filled.By)
	}
	return report, err
}

func decoderOf(key string, decoders map[string]Decoder) Decoder {
	var best Decoder
	longest := -1
	for prefix, decode := range decoders {
		if strings.HasPrefix(key, prefix) && len(prefix) > longest {
			best, longest = decode, len(prefix)
		}
	}
	return best
}
