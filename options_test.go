package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"oci-run/internal/cli"
)

// byCLI reads a command line with urfave/cli. The call is nil if it is an error, or asks for
// something else than a verb.
func byCLI(args []string) (*cli.Command, *cli.Call) {
	var called *cli.Command
	var line *cli.Call
	app := newApp()
	app.Begin, app.Out = nil, io.Discard // no log is opened
	_, err := app.Full(args, func(c *cli.Command, l *cli.Call) error {
		called, line = c, l
		return nil
	})
	if err != nil {
		return nil, nil
	}
	return called, line
}

// readAlike compares how both read a command line, and tells if it is a plain one.
func readAlike(t *testing.T, args []string) bool {
	t.Helper()
	c, line := newApp().Plain(args)
	if line == nil {
		return false
	}
	wanted, want := byCLI(args)
	if want == nil {
		t.Errorf("%q is %s to us, and an error to cli", args, c.Name)
		return true
	}
	if c != wanted || line.Verb != want.Verb || !slices.Equal(line.Args, want.Args) {
		t.Errorf("%q is %s, %q %q; cli says %s, %q %q", args,
			c.Name, line.Verb, line.Args, wanted.Name, want.Verb, want.Args)
	}
	for _, o := range understood(c) {
		for _, name := range []string{o.Name, o.Alias} {
			if name == "" {
				continue
			}
			if got, want := valueOf(line, o, name), valueOf(want, o, name); got != want {
				t.Errorf("%q: --%s is %s; cli says %s", args, name, got, want)
			}
		}
	}
	return true
}

// understood are the options that a verb's action can ask for.
func understood(c *cli.Command) []*cli.Option {
	var all []*cli.Option
	for _, group := range append(c.Own(), globalOptions) {
		for i := range group {
			if !slices.ContainsFunc(all, func(o *cli.Option) bool { return o.Name == group[i].Name }) {
				all = append(all, &group[i])
			}
		}
	}
	return all
}

func valueOf(from cli.Options, o *cli.Option, name string) string {
	var value any
	switch o.Kind {
	case cli.Text:
		value = from.String(name)
	case cli.Boolean:
		value = from.Bool(name)
	case cli.Number:
		value = from.Int(name)
	case cli.Duration:
		value = from.Duration(name)
	case cli.Texts:
		value = append([]string{}, from.StringSlice(name)...)
	}
	return fmt.Sprintf("%#v, set: %v", value, from.IsSet(name))
}

// valuesOf are some values that an option takes.
func valuesOf(o *cli.Option) []string {
	switch {
	case o.Check != nil:
		return []string{"memfd", "mount"}
	case o.Kind == cli.Boolean:
		return []string{"true", "false", "1", "F"}
	case o.Kind == cli.Number:
		return []string{"3", "-1", "0x10", "010"}
	case o.Kind == cli.Duration:
		return []string{"1s", "-1h5m"}
	}
	return []string{"word", "", "a,b", "-", "--", "--root", "-x=y", " ", "A=B=C", "create"}
}

// forms are the ways to write an option with a value.
func forms(o *cli.Option, value string) [][]string {
	var all [][]string
	for _, name := range []string{"--" + o.Name, "-" + o.Name, "-" + o.Alias, "--" + o.Alias} {
		if strings.Trim(name, "-") == "" {
			continue
		}
		if strings.TrimSpace(value) == value {
			all = append(all, []string{name + "=" + value})
		}
		if o.Kind != cli.Boolean {
			all = append(all, []string{name, value})
		} else if value == "true" {
			all = append(all, []string{name})
		}
	}
	return all
}

// Each option of each verb, in each form, at each place.
func TestEachOptionIsPlain(t *testing.T) {
	t.Setenv("OCI_RUN_SEAL", "memfd")
	for _, c := range commands {
		for i, o := range understood(c) {
			values := valuesOf(o)
			if c != &execCommand && i > 0 { // each kind's values twice is enough
				values = values[:2]
			}
			for _, value := range values {
				for _, form := range forms(o, value) {
					checkPlaces(t, c, o, form)
				}
			}
		}
	}
}

func checkPlaces(t *testing.T, c *cli.Command, o *cli.Option, form []string) {
	t.Helper()
	lines := [][]string{slices.Concat([]string{c.Name}, form, []string{"id", "other"}), slices.Concat([]string{c.Name}, form)}
	if !c.Foreign {
		lines = append(lines, slices.Concat([]string{c.Name, "id"}, form), slices.Concat([]string{c.Name}, form, form, []string{"--", "-x"}))
	}
	if slices.ContainsFunc(globalOptions, func(g cli.Option) bool { return g.Name == o.Name && g.Kind == o.Kind }) {
		lines = append(lines, slices.Concat(form, []string{c.Name, "id"}), slices.Concat(form, []string{c.Name}, form, []string{"id"}))
	}
	for _, line := range lines {
		if args := append([]string{"/usr/sbin/oci-run"}, line...); !readAlike(t, args) {
			t.Errorf("%q isn't plain", args)
		}
	}
}

// What isn't plain is urfave/cli's: what is wrong, and what is strange.
func TestUnusualLinesAreLeftToCLI(t *testing.T) {
	t.Setenv("OCI_RUN_SEAL", "mount")
	for _, line := range []string{
		"", "help", "h", "--help", "-v", "--version", "state|--help", "run|-h|id", "help|state", "nothing", "--root", "--root|x",
		"state|--unknown|id", "create|-x", "create|--bundle", "create|--preserve-fds|x|id", "create|--preserve-fds=|id", "events|--interval|5|id",
		"run|--detach=maybe|id", "--seal|wax|state|id", "state|--seal=wax|id", "state| |id", "state||id", "state| id", " state|id", "state|-|id",
		"--|state|id", "-|state|id", "state|id |--root|x", "--root |x|state|id", "state|-1", "state|--=x", "state|---root|x", "--all|kill|id",
		"exec|id||-t", "exec| id|-t", "state|--root=x |id", "init", "--root|x|init",
	} {
		args := append([]string{"oci-run"}, strings.Split(line, "|")...)
		if c, l := newApp().Plain(args); l != nil {
			t.Errorf("%q is a plain %s", args, c.Name)
		}
	}
	t.Setenv("OCI_RUN_SEAL", "wax")
	if _, l := newApp().Plain([]string{"oci-run", "state", "--seal", "mount", "id"}); l != nil {
		t.Error("a wrong OCI_RUN_SEAL is plain")
	}
	if _, l := newApp().Plain(nil); l != nil {
		t.Error("no command line at all is plain")
	}
}

// Any line that both can read they read alike: words between bars, and then words picked out of
// those that mean something.
func FuzzPlainLine(f *testing.F) {
	vocabulary := vocabulary()
	f.Add("state|id", "", []byte{})
	f.Add("--root|x|exec|-t|--env=A=B|id|sh|-c|x", "memfd", []byte{})
	f.Add("run|-b|.|--|id", "wax", []byte{0, 20, 0, 40, 1, 2})
	f.Fuzz(func(t *testing.T, line, seal string, picks []byte) {
		if strings.ContainsRune(line+seal, 0) {
			return
		}
		t.Setenv("OCI_RUN_SEAL", seal)
		if seal == "unset" {
			os.Unsetenv("OCI_RUN_SEAL")
		}
		args := []string{"oci-run"}
		if line != "" {
			args = append(args, strings.Split(line, "|")...)
		}
		for ; len(picks) > 1; picks = picks[2:] {
			args = append(args, vocabulary[(int(picks[0])<<8|int(picks[1]))%len(vocabulary)])
		}
		readAlike(t, args)
	})
}

// vocabulary are words that mean something to a command line.
func vocabulary() []string {
	words := []string{"id", "", " ", "-", "--", "x y", " x", "x ", "-1", "--help", "-h", "-v", "--version", "help", "h", "true", "5s", "7", "memfd", "wax", "=", "-=", "--="}
	for _, c := range commands {
		words = append(words, c.Name, c.Name+" ")
		for _, o := range understood(c) {
			for _, value := range append(valuesOf(o), "wrong") {
				for _, form := range forms(o, value) {
					words = append(words, form[0])
				}
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}
