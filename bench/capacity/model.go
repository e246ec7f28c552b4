package main

import "math"

// slotsOfList is how many slots one status list has (slot.Size).
const slotsOfList = 1 << 20

const million, day, micro = 1e6, 86400.0, 1e-6

// usualLifetime is the default of tokens.access_lifetime, in seconds.
const usualLifetime = 600

// Need is what a deployment needs in its busiest hour. Rates are per second.
type Need struct {
	Users float64

	// What comes in.
	SignIns, Codes, Refreshes, MachineTokens, Endings, Services, Registered float64
	// What reaches the engine.
	Commits, Reads, Written, Bytes float64
	// What the processors do, by cause, in cores.
	Work []Work
	// Status lists and the stream.
	Slots, Lists, Ended, ListBytes, ListRequests, Messages, MessageBytes float64
	// The outbox: calls wanted, and the share of what it can do that they are.
	Calls, OutboxUse, HottestUse float64
	// How long a listener may be away and resume; what a node reads as it starts.
	Away, Start float64

	Nodes  float64
	Engine Choice
	// EngineCores are busy with the engine itself, all its machines together; 0
	// where it is part of the node.
	EngineCores float64
}

// Work is one cause of load, in cores.
type Work struct {
	Cause string
	Cores float64
}

// Tokens are all that are issued in a second.
func (n Need) Tokens() float64 { return n.Codes + n.Refreshes + n.MachineTokens }

// Cores are all that are busy.
func (n Need) Cores() float64 {
	sum := 0.0
	for _, w := range n.Work {
		sum += w.Cores
	}
	return sum
}

// finite reports whether n is an answer at all.
func (n Need) finite() bool {
	sum := n.Nodes + n.Commits + n.Reads + n.Bytes + n.Lists + n.Messages*n.MessageBytes + n.OutboxUse + n.HottestUse + n.Engine.Issuers
	return !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// At is what so many people need.
func (a Assumptions) At(users float64) Need {
	n := Need{Users: users}
	n.SignIns = users * a.SignIns / day * a.Peak
	n.Codes = n.SignIns * a.Clients
	n.Refreshes = users * a.Active * a.Clients / a.AccessLifetime
	// Machines hold as many live tokens whatever these live for.
	n.MachineTokens = users / million * a.MachineTokens * usualLifetime / a.AccessLifetime
	n.Endings = n.SignIns * a.SignOuts
	n.Services = math.Max(a.LeastServices, users/million*a.Services)
	n.Registered = math.Max(a.LeastRegistered, users/million*a.Registered)
	// How many nodes there are decides how many blocks are leased, and these add
	// to the work: the second round is near enough.
	n.Nodes = a.LeastNodes
	for range 2 {
		a.lists(&n)
		a.engine(&n)
		a.work(&n)
		a.nodes(&n)
	}
	a.outbox(&n)
	if n.Engine = a.choose(n); n.Engine.Name == bolt {
		n.Nodes = 1
	}
	n.EngineCores = a.engineCores(n)
	return n
}

// leases are the commits by which slots are taken.
func (a Assumptions) leases(n *Need) float64 {
	taken := n.MachineTokens + n.Codes + a.renewed(n)
	return 2*taken/a.Reserved + n.Registered*n.Nodes/a.Term
}

// renewed are the slots that grants in use take anew, one an hour.
func (a Assumptions) renewed(n *Need) float64 { return n.Users * a.Active * a.Clients / a.Term }

// lists counts the slots that a live token may carry: one per machine token, one
// per grant and hour, and what is left over of the smallest blocks.
func (a Assumptions) lists(n *Need) {
	life := a.Term + a.AccessLifetime + a.Margin
	n.Slots = (n.MachineTokens+n.Codes+a.renewed(n))*life + n.Registered*n.Nodes*a.FirstBlock*life/a.Term
	n.Lists = math.Ceil(n.Slots / slotsOfList)
	told := n.Endings * a.Clients // slots whose bit is set, a second
	n.Ended = told * life / (n.Lists * slotsOfList)
	n.ListBytes = ListBytes(n.Ended)
	n.ListRequests = n.Services * a.Unfollowing * n.Lists / a.StatusTTL
	n.Messages = math.Max(math.Min(n.Endings, 1/a.Window), 1/a.Beat)
	slots := told / n.Messages
	// The lists that so many slots, taken at random, are in.
	names := n.Lists * (1 - math.Pow(1-1/n.Lists, slots))
	n.MessageBytes = a.MessageBytes + slots*a.SlotBytes + names*a.NameBytes
	n.Away = math.Min(a.Resumable/told, a.journal())
	n.Start = n.Endings*a.journal() + n.Registered*(n.Nodes*life/a.Term+1) + n.Lists*slotsOfList/a.Reserved
}

// engine counts what docs/architecture.md promises of each request.
func (a Assumptions) engine(n *Need) {
	leases := a.leases(n)
	n.Commits = n.SignIns + n.Codes + n.Refreshes + n.Endings + leases
	n.Reads = 2*n.SignIns + 2*n.Codes + n.Refreshes + n.Codes + 2*n.Endings + leases // userinfo once per code
	n.Written = n.SignIns*(a.SessionBytes+a.FenceBytes) + n.Codes*(a.CodeBytes+a.GrantBytes+a.FenceBytes) +
		n.Refreshes*a.GrantBytes + n.Endings*(a.JournalBytes+a.AuditBytes+a.Clients*a.Told*a.CallBytes) + leases*a.LeaseBytes
	sessions := n.Users * a.SignIns
	mean := n.Endings / a.Peak
	live := n.Users*(a.UserBytes+a.LoginBytes+2*a.RecordOverhead) +
		sessions*(a.SessionBytes+a.RecordOverhead) +
		sessions*a.Clients*(math.Min(a.RefreshLifetime, a.SessionAbsolute)/day)*(a.GrantBytes+a.RecordOverhead) +
		n.Codes*300*(a.CodeBytes+a.RecordOverhead) + (n.SignIns+a.renewed(n))*600*(a.FenceBytes+a.RecordOverhead) +
		n.Endings*a.journal()*(a.JournalBytes+a.RecordOverhead) +
		mean*a.AuditKeep*(a.AuditBytes+a.RecordOverhead)
	n.Bytes = live*a.Bloat + a.History*(n.Written+n.Commits*a.RecordOverhead)
}

// journal is how long it keeps an ending, in seconds.
func (a Assumptions) journal() float64 { return math.Max(a.AccessLifetime+a.Margin, a.JournalLeast) }

func (a Assumptions) work(n *Need) {
	n.Work = []Work{
		{"passwords", n.SignIns * a.CPUSignIn * micro},
		{"refreshes", n.Refreshes * a.CPURefresh * micro},
		{"machine tokens", n.MachineTokens * a.CPUCredentials * micro},
		{"codes, userinfo", n.Codes * (a.CPUCode + a.CPUUserinfo) * micro},
		{"engine calls", (n.Commits + n.Reads) * a.CPUTrip * micro},
		{"stream, endings", (n.Endings*(a.CPUEnding+n.Nodes*a.CPUFollow) + n.Messages*n.Services*a.CPUFan) * micro},
		{"lists", n.ListRequests * a.CPUDocument * micro},
	}
}

func (a Assumptions) nodes(n *Need) {
	busy := math.Max(n.Cores()/(a.Cores*a.Load), n.Services/(a.NodeListeners*a.Load))
	n.Nodes = math.Max(a.LeastNodes, math.Ceil(busy)+a.Spare)
}

func (a Assumptions) outbox(n *Need) {
	n.Calls = n.Endings * a.Clients * a.Told
	n.OutboxUse = n.Calls * a.CallTime / a.CallsAtOnce
	n.HottestUse = n.Endings * a.Hottest * a.CallTime / a.CallsPerClient
}

// ListBytes is what a list weighs on the wire, gzipped and with its headers, when
// that share of its slots has ended, at random: between points that were measured.
func ListBytes(ended float64) float64 {
	points := []struct{ ended, bytes float64 }{
		{0, 700}, {0.0001, 1300}, {0.001, 4500}, {0.003, 9300}, {0.01, 17900}, {0.03, 36000}, {0.1, 77000}, {0.5, 162000},
	}
	for i := 1; i < len(points); i++ {
		from, to := points[i-1], points[i]
		if ended <= to.ended {
			return from.bytes + (to.bytes-from.bytes)*(ended-from.ended)/(to.ended-from.ended)
		}
	}
	return points[len(points)-1].bytes
}

// The engines.
const bolt, etcd, postgres = "bolt", "etcd", "PostgreSQL"

// Choice is an engine, and how many issuers share the people among them.
type Choice struct {
	Name    string
	Issuers float64
}

func (a Assumptions) engineCores(n Need) float64 {
	switch n.Engine.Name {
	case etcd:
		return (n.Commits*a.EtcdCPUCommit + n.Reads*a.EtcdCPURead) * micro
	case postgres:
		return (n.Commits*a.PostgresCPUCommit + n.Reads*a.PostgresCPURead) * micro
	}
	return 0
}

// choose takes the simplest engine that carries it. When none does, the people
// are shared among issuers, each on a PostgreSQL of its own.
func (a Assumptions) choose(n Need) Choice {
	fits := func(commits, bytes float64) bool { return n.Commits <= commits*a.Load && n.Bytes <= bytes }
	switch {
	case n.Cores() <= a.Cores*a.Load && fits(a.BoltCommits, a.BoltBytes):
		return Choice{bolt, 1}
	case fits(a.EtcdCommits, a.EtcdBytes):
		return Choice{etcd, 1}
	case fits(a.PostgresCommits, a.PostgresBytes):
		return Choice{postgres, 1}
	}
	issuers := math.Max(math.Ceil(n.Commits/(a.PostgresCommits*a.Load)), math.Ceil(n.Bytes/a.PostgresBytes))
	return Choice{postgres, issuers}
}
