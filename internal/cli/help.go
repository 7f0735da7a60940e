package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"
)

// printHelp lays out the help of oci-run or of one verb. It replaces the templates of
// urfave/cli, which would bring text/template into the binary.
func printHelp(w io.Writer, _ string, data any) {
	c, ok := data.(*cli.Command)
	if !ok {
		return
	}
	name := c.FullName()
	fmt.Fprintf(w, "NAME:\n   %s - %s\n\nUSAGE:\n   %s", name, c.Usage, name)
	root := c.Root() == c
	if root {
		fmt.Fprint(w, " [global options] command [command options] [arguments...]\n\nVERSION:\n   "+strings.TrimPrefix(c.Version, "version ")+"\n")
	} else {
		fmt.Fprintf(w, " [options] %s\n", c.ArgsUsage)
	}
	if c.Description != "" {
		fmt.Fprintf(w, "\nDESCRIPTION:\n   %s\n", strings.ReplaceAll(strings.TrimSpace(c.Description), "\n", "\n   "))
	}
	if root {
		fmt.Fprint(w, "\nCOMMANDS:\n")
		for _, sub := range c.VisibleCommands() {
			fmt.Fprintf(w, "   %-12s %s\n", sub.Name, sub.Usage)
		}
		fmt.Fprint(w, "\nGLOBAL OPTIONS:\n")
	} else {
		fmt.Fprint(w, "\nOPTIONS:\n")
	}
	for _, f := range c.VisibleFlags() {
		fmt.Fprintf(w, "   %s\n", strings.ReplaceAll(f.String(), "\t", "  "))
	}
}
