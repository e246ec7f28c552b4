package main

import (
	"fmt"
	"math"
)

// Assumptions are all that the model goes by. Shares are of 1, times seconds,
// CPU microseconds, sizes bytes; "each" and "per million" say of what.
type Assumptions struct {
	// People, in the busiest hour of the day unless said otherwise.
	Active, SignIns, Clients, Peak, SignOuts, Told, Hottest float64
	// Machines.
	MachineTokens, Services, LeastServices, Registered, LeastRegistered, Unfollowing float64
	// Settings, and what is built in.
	AccessLifetime, RefreshLifetime, SessionAbsolute, StatusTTL, AuditKeep, JournalLeast float64
	Term, Margin, Reserved, FirstBlock                                                   float64
	Window, Beat, Resumable, CallsAtOnce, CallsPerClient, CallTime                       float64
	// What the issuer's processors do.
	CPUCredentials, CPURefresh, CPUCode, CPUSignIn, CPUUserinfo, CPUDocument float64
	CPUTrip, CPUEnding, CPUFan, CPUFollow                                    float64
	// What records weigh, key and value, and messages.
	UserBytes, LoginBytes, SessionBytes, GrantBytes, CodeBytes, FenceBytes float64
	JournalBytes, AuditBytes, CallBytes, LeaseBytes                        float64
	RecordOverhead, Bloat, History, MessageBytes, SlotBytes, NameBytes     float64
	// What one node and one engine are given.
	Cores, Load, Spare, LeastNodes, NodeListeners float64
	BoltCommits, EtcdCommits, PostgresCommits     float64
	EtcdCPUCommit, EtcdCPURead                    float64
	PostgresCPUCommit, PostgresCPURead            float64
	BoltBytes, EtcdBytes, PostgresBytes           float64
}

// The ways in which a figure is known.
const (
	measured = "measured" // by task bench, bench:ending or bench:go, or by a test of this folder
	assumed  = "assumed"  // put your own in its place
	builtIn  = "built in"
	setting  = "setting"
)

// assumption is one line of the table.
type assumption struct {
	name, origin, says string
	value              float64
	field              func(*Assumptions) *float64
}

// Defaults are the figures of a machine with two shared cores, and habits of
// people that you know better.
func Defaults() Assumptions {
	var a Assumptions
	for _, one := range table() {
		*one.field(&a) = one.value
	}
	return a
}

// Set changes the assumption of that name.
func (a *Assumptions) Set(name string, value float64) error {
	for _, one := range table() {
		if one.name == name {
			if !(value >= 0 && value <= math.MaxFloat32) { // NaN is neither
				return fmt.Errorf("%s can't be %v", name, value)
			}
			*one.field(a) = value
			return nil
		}
	}
	return fmt.Errorf("there is no assumption %q; capacity -assumptions names them", name)
}

func table() []assumption {
	var all []assumption
	for _, part := range [][]assumption{people(), machines(), settings(), processors(), records(), places()} {
		all = append(all, part...)
	}
	return all
}

func people() []assumption {
	return []assumption{
		{"active", assumed, "of all people use something in the busiest hour", 0.10, func(a *Assumptions) *float64 { return &a.Active }},
		{"sign-ins", assumed, "sign-ins per person and day; as many sessions live", 0.30, func(a *Assumptions) *float64 { return &a.SignIns }},
		{"clients", assumed, "clients that each of them uses, with a grant each", 2, func(a *Assumptions) *float64 { return &a.Clients }},
		{"peak", assumed, "times the day's mean, in the busiest hour", 3, func(a *Assumptions) *float64 { return &a.Peak }},
		{"sign-outs", assumed, "endings per sign-in: sign-out, another password, an operator", 0.10, func(a *Assumptions) *float64 { return &a.SignOuts }},
		{"told", assumed, "of the clients have a back-channel logout", 0.50, func(a *Assumptions) *float64 { return &a.Told }},
		{"hottest", assumed, "of all endings are told to the one client that most people use", 0.50, func(a *Assumptions) *float64 { return &a.Hottest }},
	}
}

func machines() []assumption {
	return []assumption{
		{"machine-tokens", assumed, "client-credentials tokens a second, per million people", 650, func(a *Assumptions) *float64 { return &a.MachineTokens }},
		{"services", assumed, "processes that verify tokens, per million people", 50, func(a *Assumptions) *float64 { return &a.Services }},
		{"least-services", assumed, "of them at least", 20, func(a *Assumptions) *float64 { return &a.LeastServices }},
		{"registered", assumed, "registered clients, per million people", 50, func(a *Assumptions) *float64 { return &a.Registered }},
		{"least-registered", assumed, "of them at least", 20, func(a *Assumptions) *float64 { return &a.LeastRegistered }},
		{"unfollowing", assumed, "of the processes fetch lists and follow no stream", 0.10, func(a *Assumptions) *float64 { return &a.Unfollowing }},
	}
}

func settings() []assumption {
	return []assumption{
		{"access-lifetime", setting, "s, tokens.access_lifetime", 600, func(a *Assumptions) *float64 { return &a.AccessLifetime }},
		{"refresh-lifetime", setting, "s, tokens.refresh_lifetime: how long a grant is kept that nobody refreshes", 30 * 86400, func(a *Assumptions) *float64 { return &a.RefreshLifetime }},
		{"session-absolute", setting, "s, sessions.absolute: a grant that ends with its session is kept no longer", 7 * 86400, func(a *Assumptions) *float64 { return &a.SessionAbsolute }},
		{"status-ttl", setting, "s, status.ttl", 60, func(a *Assumptions) *float64 { return &a.StatusTTL }},
		{"audit-keep", setting, "s, audit.keep", 90 * 86400, func(a *Assumptions) *float64 { return &a.AuditKeep }},
		{"journal-least", builtIn, "s that an ending stays in the journal; access-lifetime and margin, if that is more", 1800, func(a *Assumptions) *float64 { return &a.JournalLeast }},
		{"term", builtIn, "s that tokens are issued on a slot", 3600, func(a *Assumptions) *float64 { return &a.Term }},
		{"margin", builtIn, "s that a list lives on after its last token", 300, func(a *Assumptions) *float64 { return &a.Margin }},
		{"reserved", builtIn, "slots that a node takes at once, and the largest block", 65536, func(a *Assumptions) *float64 { return &a.Reserved }},
		{"first-block", builtIn, "slots in the smallest block of a client on a node", 64, func(a *Assumptions) *float64 { return &a.FirstBlock }},
		{"window", builtIn, "s between two messages of the stream at least", 0.025, func(a *Assumptions) *float64 { return &a.Window }},
		{"beat", builtIn, "s between two messages at most", 15, func(a *Assumptions) *float64 { return &a.Beat }},
		{"resumable", builtIn, "slots that a listener can catch up on", 4096, func(a *Assumptions) *float64 { return &a.Resumable }},
		{"calls", builtIn, "back-channel calls at once", 16, func(a *Assumptions) *float64 { return &a.CallsAtOnce }},
		{"calls-per-client", builtIn, "of them to one client", 2, func(a *Assumptions) *float64 { return &a.CallsPerClient }},
		{"call-time", assumed, "s that a relying party takes to answer", 0.05, func(a *Assumptions) *float64 { return &a.CallTime }},
	}
}

func processors() []assumption {
	return []assumption{
		{"cpu-credentials", measured, "µs, a token by client credentials (ES256; RS256: 1,200)", 108, func(a *Assumptions) *float64 { return &a.CPUCredentials }},
		{"cpu-refresh", measured, "µs, a refresh", 277, func(a *Assumptions) *float64 { return &a.CPURefresh }},
		{"cpu-code", measured, "µs, authorize and code to tokens", 383, func(a *Assumptions) *float64 { return &a.CPUCode }},
		{"cpu-sign-in", measured, "µs, a sign-in: the password's argon2id, and a little", 35000, func(a *Assumptions) *float64 { return &a.CPUSignIn }},
		{"cpu-userinfo", measured, "µs, a userinfo request, one per sign-in at a client", 140, func(a *Assumptions) *float64 { return &a.CPUUserinfo }},
		{"cpu-document", measured, "µs, a list or document as it is kept", 29, func(a *Assumptions) *float64 { return &a.CPUDocument }},
		{"cpu-trip", measured, "µs, what a read or commit over the network costs the node more than one of a file", 75, func(a *Assumptions) *float64 { return &a.CPUTrip }},
		{"cpu-ending", measured, "µs, an ending at the node that makes it", 2400, func(a *Assumptions) *float64 { return &a.CPUEnding }},
		{"cpu-fan", measured, "µs, a message of the stream to one listener", 5.1, func(a *Assumptions) *float64 { return &a.CPUFan }},
		{"cpu-follow", assumed, "µs, an ending of another node, taken in and signed", 100, func(a *Assumptions) *float64 { return &a.CPUFollow }},
	}
}

func records() []assumption {
	return []assumption{
		{"user", measured, "bytes of a user, key and value", 280, func(a *Assumptions) *float64 { return &a.UserBytes }},
		{"login", measured, "bytes: where a login leads", 60, func(a *Assumptions) *float64 { return &a.LoginBytes }},
		{"session", measured, "bytes of a session", 150, func(a *Assumptions) *float64 { return &a.SessionBytes }},
		{"grant", measured, "bytes of a grant", 240, func(a *Assumptions) *float64 { return &a.GrantBytes }},
		{"code", measured, "bytes: that a code was redeemed, for 5 minutes", 140, func(a *Assumptions) *float64 { return &a.CodeBytes }},
		{"fence", measured, "bytes: that something began, for 10 minutes", 40, func(a *Assumptions) *float64 { return &a.FenceBytes }},
		{"journal", measured, "bytes of an ending, while it may matter", 250, func(a *Assumptions) *float64 { return &a.JournalBytes }},
		{"audit", measured, "bytes of an audit event", 280, func(a *Assumptions) *float64 { return &a.AuditBytes }},
		{"call", measured, "bytes of a back-channel call, until it is made", 230, func(a *Assumptions) *float64 { return &a.CallBytes }},
		{"lease", measured, "bytes of a block of slots", 140, func(a *Assumptions) *float64 { return &a.LeaseBytes }},
		{"record-overhead", assumed, "bytes that an engine adds to a record, index included", 120, func(a *Assumptions) *float64 { return &a.RecordOverhead }},
		{"bloat", assumed, "times the live bytes, on disk", 1.5, func(a *Assumptions) *float64 { return &a.Bloat }},
		{"history", assumed, "s of changes that an engine keeps for those who follow", 600, func(a *Assumptions) *float64 { return &a.History }},
		{"message", measured, "bytes of a message of the stream", 300, func(a *Assumptions) *float64 { return &a.MessageBytes }},
		{"slot", builtIn, "bytes of one slot in it", 11, func(a *Assumptions) *float64 { return &a.SlotBytes }},
		{"name", builtIn, "bytes of the name of each list in it", 90, func(a *Assumptions) *float64 { return &a.NameBytes }},
	}
}

func places() []assumption {
	return []assumption{
		{"cores", assumed, "cores of a node", 4, func(a *Assumptions) *float64 { return &a.Cores }},
		{"load", assumed, "of what a node or engine can do is planned for, in the busiest hour", 0.5, func(a *Assumptions) *float64 { return &a.Load }},
		{"spare", assumed, "nodes that may be away", 1, func(a *Assumptions) *float64 { return &a.Spare }},
		{"least-nodes", assumed, "nodes at least, on an engine of the network", 3, func(a *Assumptions) *float64 { return &a.LeastNodes }},
		{"node-listeners", builtIn, "listeners that a node admits", 20000, func(a *Assumptions) *float64 { return &a.NodeListeners }},
		{"bolt-commits", measured, "commits a second on one synced file, 64 at a time: a careful figure, 33,000 with a disk that syncs in 0.2 ms", 4000, func(a *Assumptions) *float64 { return &a.BoltCommits }},
		{"etcd-commits", measured, "commits a second on three members, 64 at a time, all of it on two cores", 3500, func(a *Assumptions) *float64 { return &a.EtcdCommits }},
		{"postgres-commits", measured, "commits a second on one primary, 64 at a time, of two nodes, on two cores of which others took a quarter: at least", 6500, func(a *Assumptions) *float64 { return &a.PostgresCommits }},
		{"etcd-cpu-commit", measured, "µs of all three members per commit, with many under way; a lone one takes 1,700", 420, func(a *Assumptions) *float64 { return &a.EtcdCPUCommit }},
		{"etcd-cpu-read", measured, "µs of all three members per read", 220, func(a *Assumptions) *float64 { return &a.EtcdCPURead }},
		{"postgres-cpu-commit", measured, "µs of PostgreSQL per commit, 32 at a time; 64 take 90 each, a lone one 470", 170, func(a *Assumptions) *float64 { return &a.PostgresCPUCommit }},
		{"postgres-cpu-read", measured, "µs of PostgreSQL per read", 80, func(a *Assumptions) *float64 { return &a.PostgresCPURead }},
		{"bolt-bytes", assumed, "bytes of a file that is still copied in minutes", 50e9, func(a *Assumptions) *float64 { return &a.BoltBytes }},
		{"etcd-bytes", assumed, "bytes, what etcd's authors suggest at most", 8e9, func(a *Assumptions) *float64 { return &a.EtcdBytes }},
		{"postgres-bytes", assumed, "bytes of a database that is still restored in an hour or two", 2e12, func(a *Assumptions) *float64 { return &a.PostgresBytes }},
	}
}
