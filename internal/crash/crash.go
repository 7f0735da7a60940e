//go:build !crashpoints

// Package crash has what only test builds do (tag crashpoints): end at a named step, and take a way
// that would not be chosen.
package crash

// Point marks a step after which a killed command must leave what delete can undo. Only test builds
// act on it.
func Point(string) {}

// ByInit tells whether a command, "CREATE" or "EXEC", shall go by another start of oci-run where a
// list of calls would do. Only test builds may want it.
func ByInit(string) bool { return false }
