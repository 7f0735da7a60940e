package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"oci-run/internal/cli"
	"oci-run/internal/ere"
	"oci-run/libcontainer"
)

// regexOption makes of a verb's ID an expression. The name and its letter are crun's.
var regexOption = cli.Option{
	Name: "regex", Alias: "r", Kind: cli.Boolean,
	Usage: "ID is an extended regular expression, regex(7): all containers are meant whose ID has a part that it matches",
}

// eachMatch calls act for each container that the first argument matches, in the order of their
// IDs, also after an error. One that is deleted meanwhile is nothing. That there is none at all is
// an error, as an ID that doesn't exist is, unless --force takes it.
func eachMatch(c *cli.Call, act func(*libcontainer.Factory, string) error) error {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return fmt.Errorf("%q --regex needs an expression", c.Verb)
	}
	pattern, err := ere.Compile(c.Args[0])
	if err != nil {
		return fmt.Errorf("regular expression %q: %w", c.Args[0], err)
	}
	f, err := newFactory(c)
	if err != nil {
		return err
	}
	ids, err := f.IDs()
	if err = butNot(err, fs.ErrNotExist); err != nil {
		return err
	}
	found := false
	var failed []string
	for _, id := range ids {
		if !pattern.Match(id) {
			continue
		}
		found = true
		if err := butNot(act(f, id), libcontainer.ErrNotExist); err != nil {
			failed = append(failed, naming(id, err))
		}
	}
	switch {
	case len(failed) > 0:
		return errors.New(strings.Join(failed, "; "))
	case !found && !c.Bool("force"):
		return fmt.Errorf("%w: none below %q matches the regular expression %q", libcontainer.ErrNotExist, f.Root, pattern)
	}
	return nil
}

// butNot is the error unless it is the one that counts as success here.
func butNot(err, success error) error {
	if errors.Is(err, success) {
		return nil
	}
	return err
}

// naming is an error's text with the container that it is about.
func naming(id string, err error) string {
	if text := err.Error(); strings.Contains(text, id) {
		return text
	}
	return fmt.Sprintf("container %q: %v", id, err)
}
