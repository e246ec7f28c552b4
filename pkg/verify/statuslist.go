package verify

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	listType    = "statuslist+jwt" // Token Status List §5.1
	maxInflated = 1 << 20          // bytes of a list; 1 << 20 entries of 8 bits
)

// listToken is the payload of a status list token, Token Status List §5.1. The
// position is Signet's own.
type listToken struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	TTL      int64  `json:"ttl"`
	Position uint64 `json:"position"`
	List     struct {
		Bits  int    `json:"bits"`
		Lists string `json:"lst"`
	} `json:"status_list"`
}

// parseList reads a payload whose signature was checked, and judges whether it
// is the list called uri, and not a former one.
func parseList(payload []byte, issuer, uri string, now time.Time) (listToken, error) {
	var t listToken
	if err := json.Unmarshal(payload, &t); err != nil {
		return t, fmt.Errorf("reading the list: %w", err)
	}
	switch {
	case t.Issuer != issuer:
		return t, fmt.Errorf("it is from another issuer, %q", t.Issuer)
	case t.Subject != uri: // §8.3: or one list could be served for another
		return t, fmt.Errorf("it is another list, %q", t.Subject)
	case t.IssuedAt <= 0:
		return t, errors.New("it has no iat")
	case t.Expires <= now.Add(-leeway).Unix():
		return t, errors.New("it has expired")
	}
	return t, nil
}

// eachSet calls set for every entry that is not 0. Of the statuses (VALID,
// INVALID, SUSPENDED, an application's own) only VALID lets a token pass.
func (t *listToken) eachSet(set func(index uint32)) error {
	entries, err := decodeList(t.List.Bits, t.List.Lists, set)
	if err == nil && entries != listSize {
		err = fmt.Errorf("it has %d entries, not %d", entries, listSize) // what of the others?
	}
	return err
}

// decodeList takes the encoding of Token Status List §4 apart, and returns how
// many entries there are. It inflates a piece at a time, so that a few bytes
// cannot make it use much memory.
func decodeList(bits int, lst string, set func(index uint32)) (entries int, err error) {
	if bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return 0, fmt.Errorf("its entries have %d bits", bits)
	}
	packed, err := strictBase64.DecodeString(lst)
	if err != nil {
		return 0, fmt.Errorf("decoding the list: %w", err)
	}
	inflated, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return 0, fmt.Errorf("inflating the list: %w", err)
	}
	perByte := 8 / bits
	mask := byte(1<<bits - 1)
	piece := make([]byte, 4<<10)
	for done := 0; ; {
		n, err := inflated.Read(piece)
		if (done+n)*perByte > listSize || done+n > maxInflated {
			return 0, fmt.Errorf("it has more than %d entries", listSize)
		}
		for i, b := range piece[:n] {
			for entry := 0; b != 0; entry++ {
				if b&mask != 0 {
					set(uint32((done+i)*perByte + entry))
				}
				b >>= bits
			}
		}
		done += n
		switch {
		case errors.Is(err, io.EOF) && done > 0:
			return done * perByte, nil
		case errors.Is(err, io.EOF):
			return 0, errors.New("it has no entries")
		case err != nil:
			return 0, fmt.Errorf("inflating the list: %w", err)
		}
	}
}
