// Package interop holds clients that we did not write, signing in against the
// composed server over real connections and judging its tokens with their own
// code. It contains tests only.
package interop
