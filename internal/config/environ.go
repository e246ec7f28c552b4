package config

import (
	"regexp"
	"slices"
	"strings"
)

const envPrefix = "SIGNET_"

// fileVariable names the file itself; the command line reads it, not we.
const fileVariable = envPrefix + "CONFIG"

// environment sets what SIGNET_* variables say. An empty one counts as unset:
// composed environments pass on what was never given as an empty text.
func (r *reader) environment(environ []string) {
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || name == fileVariable || isServiceLink(name, text) {
			continue
		}
		at := place{source: name}
		i := slices.IndexFunc(r.entries, func(e entry) bool { return e.env() == name })
		if i < 0 {
			r.unknownVariable(at, name)
			continue
		}
		if text == "" {
			continue
		}
		e := r.entries[i]
		if !e.envOnly {
			r.forget(e.key) // the file's value does not count any more, right or wrong
		}
		r.at[e.key] = at
		if err := setText(e.field(&r.cfg), text); err != nil {
			_, hint := shape(e.field(&r.cfg))
			if isList(e.field(&r.cfg)) {
				hint = "separate the items with commas"
			}
			r.bad(at, e.key, err.Error(), hint)
		}
	}
}

func (r *reader) unknownVariable(at place, name string) {
	key := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "."))
	var known []string
	for _, e := range r.entries {
		if e.fileOnly && e.key == key {
			r.bad(at, key, "cannot be set in the environment", "write it in the file")
			return
		}
		known = append(known, e.env())
	}
	fix := "unset it: variables that begin with " + envPrefix + " are settings"
	if near := nearest(name, known); near != "" {
		fix = "did you mean " + near + "?"
	}
	r.bad(at, key, "there is no such key", fix)
}

// forget drops what was wrong with the file's value of a key.
func (r *reader) forget(key string) {
	r.problems = slices.DeleteFunc(r.problems, func(p Problem) bool { return p.Key == key })
}

// isServiceLink reports whether Kubernetes made the variable: every pod near a
// Service called signet (or signet-metrics …) gets its address in variables that
// begin with SIGNET_, and must start nevertheless.
func isServiceLink(name, text string) bool {
	if regexp.MustCompile(`^SIGNET_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`).MatchString(name) {
		return true
	}
	// SIGNET_PORT=8080 is a person's mistake, SIGNET_PORT=tcp://… a link.
	return strings.HasSuffix(name, "_PORT") && regexp.MustCompile(`^(tcp|udp|sctp)://`).MatchString(text)
}
