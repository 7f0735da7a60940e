// Command man writes the manual pages of oci-run, from what the binary says about itself:
//
//	man BINARY DIRECTORY
//
// One page for oci-run and one for each command. What `--help` says can't be out of date; what it
// doesn't say (files, environment, exit status) stands in sections.go.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: man BINARY DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

func write(binary, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	top, err := ask(binary, "--help")
	if err != nil {
		return err
	}
	var names []string
	for _, line := range top.sections["COMMANDS"] {
		if name, _, _ := strings.Cut(line, " "); name != "help" {
			names = append(names, name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "oci-run.8"), []byte(top.page("oci-run", names)), 0o644); err != nil {
		return err
	}
	for _, name := range names {
		verb, err := ask(binary, name, "--help")
		if err != nil {
			return err
		}
		title := "oci-run-" + strings.TrimSuffix(name, ",")
		if err := os.WriteFile(filepath.Join(dir, title+".8"), []byte(verb.page(title, nil)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// help is what --help prints: headings in capitals, and indented lines below each.
type help struct {
	sections map[string][]string
}

func ask(binary string, args ...string) (help, error) {
	out, err := exec.Command(binary, args...).Output()
	if err != nil {
		return help{}, fmt.Errorf("%s %s: %w", binary, strings.Join(args, " "), err)
	}
	h := help{map[string][]string{}}
	heading := ""
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		line := lines.Text()
		switch {
		case line == "":
		case line[0] != ' ':
			heading = strings.TrimSuffix(line, ":")
		default:
			h.sections[heading] = append(h.sections[heading], strings.TrimSpace(line))
		}
	}
	if len(h.sections["NAME"]) == 0 || len(h.sections["USAGE"]) == 0 {
		return help{}, fmt.Errorf("%s %s: no NAME or no USAGE in it", binary, strings.Join(args, " "))
	}
	return h, nil
}

// page is the manual page in man(7)'s language.
func (h help) page(title string, commands []string) string {
	var b strings.Builder
	_, summary, _ := strings.Cut(h.sections["NAME"][0], " - ")
	fmt.Fprintf(&b, ".TH %s 8 \"\" \"oci-run\" \"System Manager's Manual\"\n.nh\n.ad l\n", strings.ToUpper(title))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(title), escape(summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(h.sections["USAGE"][0]))
	if text := h.sections["DESCRIPTION"]; len(text) > 0 {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", escape(strings.Join(text, "\n.br\n")))
	}
	if len(commands) > 0 {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", description)
	}
	items(&b, "COMMANDS", h.sections["COMMANDS"])
	items(&b, "GLOBAL OPTIONS", h.sections["GLOBAL OPTIONS"])
	items(&b, "OPTIONS", h.sections["OPTIONS"])
	for _, s := range sections {
		if s.page == title {
			fmt.Fprintf(&b, ".SH %s\n%s\n", s.heading, s.text)
		}
	}
	b.WriteString(".SH SEE ALSO\n")
	if title != "oci-run" {
		b.WriteString(".BR oci-run (8),\n")
	}
	for _, name := range commands {
		fmt.Fprintf(&b, ".BR oci-run-%s (8),\n", escape(name))
	}
	b.WriteString(".BR namespaces (7),\n.BR cgroups (7),\nhttps://github.com/opencontainers/runtime-spec\n")
	return b.String()
}

// items is a list of terms, each with its explanation after two blanks or more.
func items(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", heading)
	for _, line := range lines {
		term, text, _ := strings.Cut(line, "  ")
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", escape(term), escape(strings.TrimSpace(text)))
	}
}

// escape keeps a text from being read as a request of man(7), and its hyphens from being anything
// else.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n'", "\n\\&'").Replace(text)
}
