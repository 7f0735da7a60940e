//go:build !crashpoints

// Package crash has what only test builds do (tag crashpoints): end at a named step, and take a way
// that would not be chosen.
package crash

// Point marks a step after which a killed command must leave what delete can undo. Only test builds
// act on it.
func Point(string) {}

// ByInit tells whether each exec shall go by a second oci-run init. Only test builds may want it.
func ByInit() bool { return false }
