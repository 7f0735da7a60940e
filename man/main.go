// Command man writes the manual pages of oci-run, from what the binary says about itself:
//
//	man BINARY DIRECTORY
//
// One page for oci-run and one for each command. What `--help` says can't be out of date; what it
// doesn't say (output, exit status, environment, files, examples) stands in pages.go.
package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// write asks the binary and writes each page into the directory.
func write(binary, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	top, err := ask(binary, "--help")
	if err != nil {
		return err
	}
	names := top.commands()
	if unknown := unknownPages(names); len(unknown) > 0 {
		return fmt.Errorf("pages.go tells of %q, which are no commands", unknown)
	}
	version := strings.Join(top.sections["VERSION"][:1], "")
	for _, name := range append([]string{""}, names...) {
		if _, told := pages[name]; !told {
			return fmt.Errorf("pages.go tells nothing of %q", name)
		}
		h, title, others := top, "oci-run", names
		if name != "" {
			title, others = "oci-run-"+name, nil
			if h, err = ask(binary, name, "--help"); err != nil {
				return err
			}
		}
		text := h.page(title, version, pages[name], others)
		if err := os.WriteFile(filepath.Join(dir, title+".8"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// unknownPages are those of commands that don't exist.
func unknownPages(names []string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(pages)), func(name string) bool { return name == "" || slices.Contains(names, name) })
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

// commands are the names of those that the help lists.
func (h help) commands() (names []string) {
	for _, line := range h.sections["COMMANDS"] {
		if name := strings.TrimSuffix(strings.Fields(line)[0], ","); name != "help" {
			names = append(names, name)
		}
	}
	return names
}

// page is the manual page in man(7)'s language. others are the commands of which oci-run(8) tells.
func (h help) page(title, version string, p page, others []string) string {
	var b strings.Builder
	_, summary, _ := strings.Cut(h.sections["NAME"][0], " - ")
	fmt.Fprintf(&b, ".TH %s 8 %s %q \"System Manager's Manual\"\n.nh\n.ad l\n", strings.ToUpper(escape(title)), date, "oci-run "+version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(title), escape(summary))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(h.sections["USAGE"][0]))
	text := strings.Join(h.sections["DESCRIPTION"], "\n") // who reads it sees one paragraph, filled
	if others != nil {
		text = description
	}
	section(&b, "DESCRIPTION", text)
	list(&b, "COMMANDS", terms(h.sections["COMMANDS"]))
	list(&b, "GLOBAL OPTIONS", terms(h.sections["GLOBAL OPTIONS"]))
	list(&b, "OPTIONS", terms(h.sections["OPTIONS"]))
	if others == nil {
		b.WriteString(".PP\nThe global options of\n.BR oci\\-run (8)\nmay be given too.\n")
	}
	section(&b, "OUTPUT", p.outputIntro)
	if len(p.output) > 0 {
		list(&b, "", p.output)
	}
	p.exitStatus(&b)
	p.variables(&b)
	if others != nil {
		list(&b, "FILES", files)
	}
	p.showExamples(&b)
	seeAlso(&b, title, others)
	return b.String()
}

func (p page) exitStatus(b *strings.Builder) {
	status := p.status
	if len(status) == 0 {
		status = []term{success, failure}
	}
	list(b, "EXIT STATUS", status)
}

func (p page) variables(b *strings.Builder) {
	var entries []term
	for _, name := range append(slices.Clone(always), p.environment...) {
		entries = append(entries, term{name, variables[name]})
	}
	list(b, "ENVIRONMENT", entries)
}

func (p page) showExamples(b *strings.Builder) {
	b.WriteString(".SH EXAMPLES\n")
	for _, e := range p.examples {
		fmt.Fprintf(b, ".PP\n%s\n.PP\n.RS 4\n.nf\n%s\n.fi\n.RE\n", escape(e.text), escape(e.commands))
	}
}

func seeAlso(b *strings.Builder, title string, others []string) {
	b.WriteString(".SH SEE ALSO\n")
	if title != "oci-run" {
		b.WriteString(".BR oci\\-run (8),\n")
	}
	for _, name := range others {
		fmt.Fprintf(b, ".BR oci\\-run\\-%s (8),\n", escape(name))
	}
	b.WriteString(".BR namespaces (7),\n.BR cgroups (7),\nhttps://github.com/opencontainers/runtime-spec\n")
}

// section is a heading with paragraphs, which an empty line parts; nothing without a text.
func section(b *strings.Builder, heading, text string) {
	if text != "" {
		fmt.Fprintf(b, ".SH %s\n%s\n", heading, strings.ReplaceAll(escape(text), "\n\n", "\n.PP\n"))
	}
}

// terms parts lines of the help: a term, and behind two blanks or more what it means.
func terms(lines []string) []term {
	var list []term
	for _, line := range lines {
		name, text, _ := strings.Cut(line, "  ")
		if name == line { // a name as long as its column
			name, text, _ = strings.Cut(line, " ")
		}
		list = append(list, term{name, strings.TrimSpace(text)})
	}
	return list
}

// list is a section of terms; without a heading it goes on with the one before.
func list(b *strings.Builder, heading string, entries []term) {
	if len(entries) == 0 {
		return
	}
	if heading != "" {
		fmt.Fprintf(b, ".SH %s\n", heading)
	}
	for _, e := range entries {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", escape(e.name), escape(e.text))
	}
}

// escape keeps a text from being read as a request of man(7), and its hyphens from being anything
// else.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n'", "\n\\&'", "\n.", "\n\\&.").Replace(text)
	if strings.HasPrefix(text, "'") || strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
