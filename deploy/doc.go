// Package deploy holds what runs Signet in production: a unit for systemd, a
// Dockerfile, manifests for Kubernetes, and proxies that stand in front of it.
//
//	systemd/     one server, its records in one file
//	Dockerfile   one static binary, as nobody
//	kubernetes/  three nodes on an engine of the network
//	nginx/, caddy/  in front of three nodes, without sticky sessions
//
// It holds files and tests alone. The tests keep the files true to the
// configuration's own table, and run the proxies in front of a real issuer where
// they are installed.
package deploy
