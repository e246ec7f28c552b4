// Package docstest keeps the documentation true where a machine can tell: every
// test that a page names exists, every demand and threat names its test or says
// that there is none, every key of the configuration and every metric is in the
// operator's manual.
//
//	docs/*.md ──names of tests──▶ parsed _test.go files
//	config.Keys ──▶ the generated part of docs/operating.md (-update writes it)
//
// It holds tests alone and never judges prose.
package docstest
