//go:build !amd64 && !arm64

package calls

// There are no instructions for this architecture.
const (
	code     = ""
	machine  = 0
	pageSize = 4096
)
