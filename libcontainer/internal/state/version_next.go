//go:build nextrecord

package state

// Version is that of a release to come, which only test builds write: the sessions about upgrade
// and downgrade have such a binary for the newer one (make bin/oci-run-next).
const Version = 2
