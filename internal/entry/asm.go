//go:build amd64 || arm64

package entry

// entry is never called: it is where the program begins.
func entry()

func restore()
