// govulncheck, apart from the other tools so that its versions of golang.org/x
// are its own. Task calls it; by hand it is
//
//	go tool -modfile=.ci/vuln.mod govulncheck ./...
module github.com/signet-id/signet/ci/vuln

go 1.26.0

tool golang.org/x/vuln/cmd/govulncheck

require (
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/telemetry v0.0.0-20260908163034-4bcc4b2ee518 // indirect
	golang.org/x/tools v0.50.0 // indirect
	golang.org/x/vuln v1.8.0 // indirect
)
