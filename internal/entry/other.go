//go:build !amd64 && !arm64

package entry

func restore() {}
