// Package templates holds the pages' markup and style: one HTML file per page
// around one layout, one style sheet, one mark. The files are compiled in.
//
//	layout.html ◀── signin.html, consent.html, … ──▶ internal/pages renders them
//	signet.css, favicon.svg ───────────────────────▶ served under a hashed name
//
// It never decides anything: what a page shows, and under which headers, is the
// business of internal/pages. Every word that a person reads stands in these
// files or in the values that fill them, so a translation has one place to be.
package templates

import (
	"embed"
	"io/fs"
)

//go:embed *.html *.css *.svg
var files embed.FS

// Files returns the embedded files, all at the root.
func Files() fs.FS { return files }
