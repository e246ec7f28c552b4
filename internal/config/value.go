package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signet-id/signet/internal/secret"
)

const day = 24 * time.Hour

// Size is a number of bytes, written 64KiB.
type Size int64

// The units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

// String is the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits() {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return "0B"
}

type sizeUnit struct {
	name string
	size Size
}

func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}
}

func parseSize(text string) (Size, error) {
	unit := Size(1)
	number := text
	for _, u := range sizeUnits() {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.size
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 63)
	if err != nil || n > uint64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	return Size(n) * unit, nil
}

// parseDuration reads what time.ParseDuration does, and days before it: 30d, 1d12h.
func parseDuration(text string) (time.Duration, error) {
	var whole time.Duration
	rest := text
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 31)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		whole, rest = time.Duration(n)*day, after
		if rest == "" {
			return whole, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || part < 0 || whole > math.MaxInt64-part {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return whole + part, nil
}

// showDuration is the shortest form that parseDuration reads back: 30d, not 720h0m0s.
func showDuration(d time.Duration) string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseNetwork reads a CIDR, or an address as the network of that one host.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its mask: the network is %s", text, p.Masked())
	}
	return p, nil
}

func parseText(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", errors.New("the value is not valid UTF-8")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", errors.New("the value contains a control character")
	}
	return text, nil
}

// parseBool takes the two words of YAML 1.2, and none of the others that mean yes in one
// place and a text in another.
func parseBool(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return text == "true", nil
}

func parseLevel(text string) (slog.Level, error) {
	for _, l := range levels() {
		if text == showLevel(l) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a log level", text)
}

func levels() []slog.Level {
	return []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
}

func showLevel(l slog.Level) string { return strings.ToLower(l.String()) }

// parse sets *into to read(text), or leaves it alone.
func parse[T any](into *T, text string, read func(string) (T, error)) error {
	v, err := read(text)
	if err != nil {
		return err
	}
	*into = v
	return nil
}

// setScalar reads text into the field, whatever its type: a file's scalar and a
// variable of the environment are read alike.
func setScalar(field any, text string) error {
	switch f := field.(type) {
	case *string:
		return parse(f, text, parseText)
	case *int:
		return parse(f, text, func(s string) (int, error) {
			n, err := strconv.Atoi(s)
			if err != nil {
				return 0, fmt.Errorf("%q is not a whole number", s)
			}
			return n, nil
		})
	case *bool:
		return parse(f, text, parseBool)
	case *time.Duration:
		return parse(f, text, parseDuration)
	case *Size:
		return parse(f, text, parseSize)
	case *slog.Level:
		return parse(f, text, parseLevel)
	case *secret.Value:
		*f = secret.New(text)
		return nil
	}
	return errors.New("one value was given where several are needed")
}

// setList reads a list into the field; isList says which fields these are.
// An empty list is nil, as in Default.
func setList(field any, items []string) error {
	switch f := field.(type) {
	case *[]string:
		var list []string
		for _, item := range items {
			text, err := parseText(item)
			if err != nil {
				return err
			}
			list = append(list, text)
		}
		*f = list
	case *[]netip.Prefix:
		var list []netip.Prefix
		for _, item := range items {
			p, err := parseNetwork(item)
			if err != nil {
				return err
			}
			list = append(list, p)
		}
		*f = list
	}
	return nil
}

func isList(field any) bool {
	switch field.(type) {
	case *[]string, *[]netip.Prefix:
		return true
	}
	return false
}

// texts is the field's value as a person would write it, an item per element.
func texts(field any) []string {
	switch f := field.(type) {
	case *string:
		return nonEmpty(*f)
	case *int:
		return []string{strconv.Itoa(*f)}
	case *bool:
		return []string{strconv.FormatBool(*f)}
	case *time.Duration:
		return []string{showDuration(*f)}
	case *Size:
		return []string{f.String()}
	case *slog.Level:
		return []string{showLevel(*f)}
	case *[]string:
		return *f
	case *[]netip.Prefix:
		var out []string
		for _, p := range *f {
			out = append(out, p.String())
		}
		return out
	}
	return nil // a secret shows nothing, the scopes are a map of their own
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// shape names the field's type and says what to write, with an example.
func shape(field any) (name, hint string) {
	switch field.(type) {
	case *string:
		return "line of text", "write one line of text"
	case *int:
		return "whole number", "write a whole number, such as 2"
	case *bool:
		return "yes or no", "write true or false"
	case *time.Duration:
		return "duration", "write a number with a unit, such as 90s, 10m, 12h or 30d"
	case *Size:
		return "size", "write a number with a unit, such as 64KiB or 19MiB"
	case *slog.Level:
		return "log level", "write debug, info, warn or error"
	case *[]string:
		return "list of texts", "write a list, such as [a, b]"
	case *[]netip.Prefix:
		return "list of networks", "write a list of networks, such as [10.0.0.0/8, 2001:db8::/32]"
	case *map[string]string:
		return "map of names to descriptions", `write one "name: description" per line, indented below the key`
	case *secret.Value:
		return "secret", "set the environment variable"
	}
	return "value", "write a value"
}
