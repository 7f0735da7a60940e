//go:build amd64 || arm64

package entry

// entry is never called: it is where the program begins.
//
//lint:ignore U1000 the linker is told its name
func entry()

func restore()
