// Effective is what critest's image nonewprivs runs: it tells whose rights it has. It is setuid
// root there.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Printf("Effective uid: %d\n", os.Geteuid())
}
