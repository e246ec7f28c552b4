package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// What bbolt's file format says of the pages that lead to others.
const (
	branchFlag    = 0x01
	leafFlag      = 0x02
	branchElement = 16 // place of the key, its length, and the page it leads to
)

// skeleton is what holds the tables together: the branch pages, a hundredth of
// the file. One that is damaged hides what lies behind it, or leads to a page
// of something else, and the records that are found there may be whole. So all
// of them are read before the store opens.
type skeleton struct {
	file  io.ReaderAt
	meta  metaPage
	taken []uint64 // a bit per page: something leads to it, or it is free
	page  []byte   // the one that is being read
}

func newSkeleton(file io.ReaderAt, meta metaPage, free []uint64) (*skeleton, error) {
	k := &skeleton{file: file, meta: meta, taken: make([]uint64, meta.end/64+1)}
	for _, id := range free {
		if err := k.take(id); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// take demands that page id exists and that nothing else leads to it.
func (k *skeleton) take(id uint64) error {
	if id <= 1 || id >= k.meta.end {
		return fmt.Errorf("something leads to page %d of %d", id, k.meta.end)
	}
	if k.taken[id/64]&(1<<(id%64)) != 0 {
		return fmt.Errorf("page %d is free and in use, or in use twice", id)
	}
	k.taken[id/64] |= 1 << (id % 64)
	return nil
}

// table reads the branch pages of the table whose tree begins at page root; 0
// is a table so small that it has no page of its own. The pages of one level
// are all of one kind, so that a look at the first of the leaves is enough.
func (k *skeleton) table(root uint64) error {
	if root == 0 {
		return nil
	}
	level := []uint64{root}
	if err := k.take(root); err != nil {
		return err
	}
	for depth := range 64 {
		flags, err := k.read(level[0])
		if err != nil {
			return err
		}
		if flags == leafFlag {
			return nil
		}
		var below []uint64
		for _, id := range level {
			if below, err = k.branch(id, below); err != nil {
				return fmt.Errorf("at depth %d: %w", depth, err)
			}
		}
		level = below
	}
	return fmt.Errorf("page %d begins a tree without an end", root)
}

// read reads page id, with the pages that continue it, and returns its kind.
func (k *skeleton) read(id uint64) (flags uint16, err error) {
	size := uint64(k.meta.pageSize)
	if uint64(len(k.page)) < size {
		k.page = make([]byte, size)
	}
	if _, err := k.file.ReadAt(k.page[:size], int64(id*size)); err != nil {
		return 0, fmt.Errorf("reading page %d: %w", id, err)
	}
	order := binary.NativeEndian
	if got := order.Uint64(k.page); got != id {
		return 0, fmt.Errorf("page %d says that it is page %d", id, got)
	}
	flags = order.Uint16(k.page[8:])
	if flags != branchFlag && flags != leafFlag {
		return 0, fmt.Errorf("page %d is of a kind %#x that has no place in a table", id, flags)
	}
	more := uint64(order.Uint32(k.page[12:]))
	if more >= k.meta.end-id {
		return 0, fmt.Errorf("page %d claims %d more pages of %d", id, more, k.meta.end)
	}
	if more == 0 || flags == leafFlag {
		return flags, nil
	}
	k.page = make([]byte, (more+1)*size)
	if _, err := k.file.ReadAt(k.page, int64(id*size)); err != nil {
		return 0, fmt.Errorf("reading page %d: %w", id, err)
	}
	return flags, nil
}

// branch reads the branch page id and appends the pages to which it leads.
func (k *skeleton) branch(id uint64, below []uint64) ([]uint64, error) {
	flags, err := k.read(id)
	if err != nil {
		return nil, err
	}
	order := binary.NativeEndian
	count := int(order.Uint16(k.page[10:]))
	if flags != branchFlag || count == 0 || pageHeader+count*branchElement > len(k.page) {
		return nil, fmt.Errorf("page %d is not a branch of %d", id, count)
	}
	var before []byte
	for i := range count {
		start := pageHeader + i*branchElement
		element := k.page[start:]
		at, length := uint64(start)+uint64(order.Uint32(element)), uint64(order.Uint32(element[4:]))
		if at+length > uint64(len(k.page)) {
			return nil, fmt.Errorf("a key of page %d lies beyond its end", id)
		}
		key, child := k.page[at:at+length], order.Uint64(element[8:])
		if len(key) == 0 || bytes.Compare(before, key) >= 0 {
			return nil, fmt.Errorf("key %q of page %d is out of order", key, id)
		}
		if err := k.take(child); err != nil {
			return nil, fmt.Errorf("behind page %d: %w", id, err)
		}
		before, below = key, append(below, child)
	}
	return below, nil
}
