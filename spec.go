package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"oci-run/internal/cli"
	"oci-run/internal/oncejson"
	"oci-run/specconv"
)

var specCommand = cli.Command{
	Name:  "spec",
	Usage: "write a default config.json",
	Description: "Writes config.json for a shell in the root file system \"rootfs\". It runs as it is.\n" +
		"With --rootless, it is one that an ordinary user can run.",
	Options: [][]cli.Option{{
		{Name: "bundle", Alias: "b", Usage: "`DIR` to write to (default: the current directory)"},
		{Name: "rootless", Kind: cli.Boolean, Usage: "write a config for the calling user"},
	}},
	Action: writeSpec,
}

func writeSpec(c *cli.Call) error {
	if len(c.Args) != 0 {
		return fmt.Errorf("%q takes no arguments; there are %d", c.Verb, len(c.Args))
	}
	spec := specconv.Default()
	if c.Bool("rootless") {
		specconv.Rootless(spec, uint32(os.Geteuid()), uint32(os.Getegid()))
	}
	text, err := oncejson.EncodeIndented(spec, "\t")
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
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path) // half a file
	}
	return err
}
