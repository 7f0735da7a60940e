package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"oci-run/specconv"
)

func specCommand() *cli.Command {
	return &cli.Command{
		Name:  "spec",
		Usage: "write a config.json to begin with",
		Description: "Writes config.json for a shell in the root file system \"rootfs\". It runs as it is.\n" +
			"With --rootless, it is one that an ordinary user can run.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "`DIR` to write to (default: the current directory)"},
			&cli.BoolFlag{Name: "rootless", Usage: "write a config for the calling user"},
		},
		Action: writeSpec,
	}
}

func writeSpec(_ context.Context, c *cli.Command) error {
	if c.NArg() != 0 {
		return fmt.Errorf("%s: %q takes no arguments; there are %d", c.Root().Name, c.Name, c.NArg())
	}
	spec := specconv.Default()
	if c.Bool("rootless") {
		specconv.Rootless(spec, uint32(os.Geteuid()), uint32(os.Getegid()))
	}
	text, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(c.String("bundle"), "config.json")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("file %q exists: remove it first", path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Close()
}
