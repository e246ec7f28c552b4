package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// listening measures what the issuer keeps for each listener that only waits.
func (b *endingBench) listening(ctx context.Context) (err error) {
	c, err := b.startEnding(ctx, "listeners")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := b.attend(ctx, c.address, b.plan.listeners/10, func() error { return nil }); err != nil {
		return err // what is grown once is grown before the first look
	}
	before, err := c.ask(command{Do: doMemory})
	if err != nil {
		return err
	}
	n := b.plan.listeners
	var after report
	if err := b.attend(ctx, c.address, n, func() (err error) {
		after, err = c.ask(command{Do: doMemory})
		return err
	}); err != nil {
		return err
	}
	t := &table{
		title: fmt.Sprintf("The issuer's memory with %d listeners that wait (without the kernel's for sockets)", n),
		head:  []string{"what", "none, MB", fmt.Sprintf("%d, MB", n), "each, kB"},
	}
	for _, m := range []struct {
		what         string
		before, with uint64
	}{
		{"heap in use", before.Heap, after.Heap},
		{"stacks", before.Stacks, after.Stacks},
		{"resident", before.Resident, after.Resident},
	} {
		each := (float64(m.with) - float64(m.before)) / float64(n) / 1e3
		t.row(m.what, number(float64(m.before)/1e6), number(float64(m.with)/1e6), number(each))
		if m.what == "resident" && m.with > 0 {
			b.aim("resident memory per listener, kB", aimListener, each)
		}
	}
	return t.print(b.out)
}

// attend lets n listeners join the stream, and does something while they wait.
func (b *endingBench) attend(ctx context.Context, address string, n int, do func() error) (err error) {
	all, failed := make([]net.Conn, n), make([]error, n)
	defer func() {
		for _, c := range all {
			if c != nil {
				err = errors.Join(err, c.Close())
			}
		}
	}()
	room := make(chan struct{}, 32)
	var joining sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		joining.Go(func() {
			defer func() { <-room }()
			all[i], failed[i] = join(ctx, address)
		})
	}
	joining.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return do()
}

// join asks for the stream and reads its first message.
func join(ctx context.Context, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return c, fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := c.Write([]byte("GET /status/stream HTTP/1.1\r\nHost: id.example.com\r\nAccept: text/event-stream\r\n\r\n")); err != nil {
		return c, fmt.Errorf("asking for the stream: %w", err)
	}
	reader := bufio.NewReaderSize(c, 512)
	for seen := false; ; {
		line, err := reader.ReadString('\n')
		if err != nil {
			return c, fmt.Errorf("waiting for the first message: %w", err)
		}
		seen = seen || strings.HasPrefix(line, "data: ")
		if seen && line == "\n" {
			return c, nil
		}
	}
}
