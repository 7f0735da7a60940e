//go:build !crashpoints

package libcontainer

// crashPoint marks a step after which a killed command must leave what delete can undo.
// Only test builds act on it.
func crashPoint(string) {}

// byInit tells whether each exec shall go by a second oci-run init. Only test builds may want it.
func byInit() bool { return false }
