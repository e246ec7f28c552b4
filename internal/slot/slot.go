// Package slot owns the word: a position in a status list, whose bit says that
// what holds the position has ended (IETF Token Status List §2).
//
//	Slot ──List, Index──▶ the (uri, idx) of an access token
//	Range ──────────────▶ some neighbours, as a journal record keeps them
//
// A slot is one number that only ever grows: the lists are pieces of one long
// row. The package never says who holds a slot and keeps none.
package slot

import (
	"strconv"
	"strings"
)

// Size is how many slots one list has.
const (
	bits = 20
	Size = 1 << bits
)

// Slot is a position in the one row that all lists make up. 0 is no slot.
type Slot uint64

// At is the slot at index of a list.
func At(list uint64, index uint32) Slot { return Slot(list<<bits | uint64(index)) }

// List is the number of the list that s is in.
func (s Slot) List() uint64 { return uint64(s) >> bits }

// Index is where in its list s is.
func (s Slot) Index() uint32 { return uint32(s & (Size - 1)) }

// URI names the list that s is in, for an issuer's tokens.
func (s Slot) URI(issuer string) string { return ListURI(issuer, s.List()) }

// Path is where the status lists are published, below the issuer.
const Path = "/status"

// ListURI is where an issuer publishes a list.
func ListURI(issuer string, list uint64) string {
	return issuer + Path + "/" + strconv.FormatUint(list, 10)
}

// Parse reads what a token of the issuer carries.
func Parse(issuer, uri string, index uint64) (Slot, bool) {
	number, ok := strings.CutPrefix(uri, issuer+Path+"/")
	if !ok || index >= Size {
		return 0, false
	}
	list, err := strconv.ParseUint(number, 10, 64-bits)
	if err != nil || strconv.FormatUint(list, 10) != number {
		return 0, false
	}
	return At(list, uint32(index)), list != 0
}

// Range is Count neighbours, from First on. It never crosses the border of a
// list.
type Range struct {
	First Slot   `json:"f"`
	Count uint32 `json:"n,omitempty"` // 0 means 1
}

// Len is how many slots r covers.
func (r Range) Len() uint32 { return max(r.Count, 1) }

// Only is the range of one slot.
func Only(s Slot) Range { return Range{First: s} }
