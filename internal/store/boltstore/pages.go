package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// What bbolt's file format says of its first two pages, the meta pages: a page
// header, then the fields below, in the byte order of the machine. bbolt
// trusts them: a file that is shorter than they claim kills the process when a
// page beyond its end is touched. So they are compared with the file first.
const (
	pageHeader   = 16
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	metaChecksum = 56 // offset of the checksum, which covers all before it
	metaSize     = metaChecksum + 8
	freelistFlag = 0x10
	// countOverflow in a page's header says that its count did not fit there.
	countOverflow = 0xFFFF

	minPage = 1 << 10
	maxPage = 1 << 24
)

// metaPage is what one valid meta page claims.
type metaPage struct {
	pageSize uint32
	freelist uint64
	end      uint64 // the number of pages in use: bbolt's high-water mark
	tx       uint64
}

// inspect judges whether bbolt can use f without reaching beyond its end and
// without writing over what it still needs. It returns what it learned.
func inspect(f *os.File) (metaPage, []uint64, error) {
	meta, err := newestMeta(f)
	if err != nil {
		return meta, nil, err
	}
	stat, err := f.Stat()
	if err != nil {
		return meta, nil, fmt.Errorf("measuring the file: %w", err)
	}
	if size := uint64(stat.Size()) / uint64(meta.pageSize); meta.end > size {
		return meta, nil, fmt.Errorf("the file is cut off: it has %d pages of %d", size, meta.end)
	}
	// We always keep the list of free pages in the file. Without one bbolt would
	// rebuild it as it opens, and change a file that is not ours.
	if meta.freelist >= meta.end {
		return meta, nil, errors.New("the list of free pages is missing")
	}
	free, err := inspectFree(f, meta)
	return meta, free, err
}

// inspectFree checks the list of free pages, which bbolt takes without looking
// when it opens a file for writing: it must be one, and name pages that exist. It
// returns them.
func inspectFree(f io.ReaderAt, meta metaPage) ([]uint64, error) {
	at, order := int64(meta.freelist)*int64(meta.pageSize), binary.NativeEndian
	var head [pageHeader + 8]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return nil, fmt.Errorf("reading the list of free pages: %w", err)
	}
	if order.Uint64(head[:]) != meta.freelist || order.Uint16(head[8:]) != freelistFlag {
		return nil, errors.New("the list of free pages is not one")
	}
	count, start := uint64(order.Uint16(head[10:])), at+pageHeader
	if count == countOverflow { // the true count comes first
		count, start = order.Uint64(head[pageHeader:]), start+8
	}
	if count > meta.end {
		return nil, fmt.Errorf("the list of free pages names %d pages of %d", count, meta.end)
	}
	ids := make([]byte, count*8)
	if _, err := f.ReadAt(ids, start); err != nil {
		return nil, fmt.Errorf("reading the list of free pages: %w", err)
	}
	free := make([]uint64, 0, count)
	for last := uint64(1); len(ids) > 0; ids = ids[8:] {
		id := order.Uint64(ids)
		if id <= last || id >= meta.end {
			return nil, fmt.Errorf("the list of free pages names page %d after page %d of %d", id, last, meta.end)
		}
		last, free = id, append(free, id)
	}
	return free, nil
}

func newestMeta(f *os.File) (metaPage, error) {
	newest, err := readMeta(f, 0)
	if err == nil {
		if second, err := readMeta(f, int64(newest.pageSize)); err == nil && second.tx > newest.tx {
			newest = second
		}
		return newest, nil
	}
	// The first page is torn. The second is somewhere: its place is the size of a
	// page, which nobody knows yet.
	for size := int64(minPage); size <= maxPage; size *= 2 {
		if second, err := readMeta(f, size); err == nil && int64(second.pageSize) == size {
			return second, nil
		}
	}
	return metaPage{}, err
}

func readMeta(f io.ReaderAt, at int64) (metaPage, error) {
	var page [pageHeader + metaSize]byte
	if _, err := f.ReadAt(page[:], at); err != nil {
		return metaPage{}, fmt.Errorf("reading the first pages: %w", err)
	}
	raw, order := page[pageHeader:], binary.NativeEndian
	if order.Uint32(raw) != metaMagic || order.Uint32(raw[4:]) != metaVersion {
		return metaPage{}, errors.New("the first pages are not those of a bbolt file")
	}
	sum := fnv.New64a()
	_, _ = sum.Write(raw[:metaChecksum]) // a hash never fails
	if sum.Sum64() != order.Uint64(raw[metaChecksum:]) {
		return metaPage{}, errors.New("the first pages fail their checksum")
	}
	m := metaPage{
		pageSize: order.Uint32(raw[8:]),
		freelist: order.Uint64(raw[32:]),
		end:      order.Uint64(raw[40:]),
		tx:       order.Uint64(raw[48:]),
	}
	if m.pageSize < minPage || m.pageSize > maxPage || m.end > math.MaxInt64/maxPage {
		return metaPage{}, errors.New("the first pages claim impossible sizes")
	}
	return m, nil
}
