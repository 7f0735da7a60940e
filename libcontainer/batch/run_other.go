//go:build !amd64 && !arm64

package batch

const (
	machine  = 0
	pageSize = 4096
)

func instructions() []byte { return nil }
