package faults

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// report is a table of calls and what came of each.
type report struct{ lines []line }

type line struct {
	scenario, role, name, reason string
	outcome                      outcome
}

func (r *report) add(scenario string, f *fault, o outcome, reason string) {
	r.lines = append(r.lines, line{scenario, f.role, f.name, reason, o})
}

// write writes the report where one is asked for.
func (r *report) write(t *testing.T, suite string) {
	if path := os.Getenv("OCI_RUN_FAULTS_REPORT"); path != "" {
		if err := os.WriteFile(path+"."+suite, r.text(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// text is the report in Markdown: a row for each name, its calls counted by outcome.
func (r *report) text() []byte {
	type row struct{ scenario, role, name string }
	counts := map[row]map[outcome]int{}
	waived := map[row]string{}
	for _, l := range r.lines {
		at := row{l.scenario, l.role, l.name}
		if counts[at] == nil {
			counts[at] = map[outcome]int{}
		}
		counts[at][l.outcome]++
		waived[at] = cmp.Or(waived[at], l.reason)
	}
	rows := make([]row, 0, len(counts))
	for at := range counts {
		rows = append(rows, at)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.scenario, b.scenario), cmp.Compare(a.role, b.role), cmp.Compare(a.name, b.name))
	})
	var out bytes.Buffer
	fmt.Fprint(&out, "| command | by | call | success | error | not made | other |\n|---|---|---|---|---|---|---|\n")
	for _, at := range rows {
		var others []string
		for o, n := range counts[at] {
			if o.isFault() {
				others = append(others, fmt.Sprintf("%d × %s", n, o))
			}
		}
		slices.Sort(others)
		text := strings.Join(others, ", ")
		if waived[at] != "" {
			text += ": " + waived[at]
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %d | %d | %d | %s |\n", at.scenario, at.role, at.name,
			counts[at][succeeded], counts[at][refused], counts[at][missed], text)
	}
	return out.Bytes()
}

// waiver says why an outcome that would be a fault is not one.
type waiver struct {
	verb, role, name, outcome string // patterns, path.Match
	reason                    string
	used                      bool
}

type waiverList []waiver

// waivers reads testdata/waivers.tsv.
func waivers(t *testing.T) (list waiverList) {
	t.Helper()
	text, err := os.ReadFile("testdata/waivers.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSuffix(l, "\n"); l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		fields := strings.Split(l, "\t")
		if len(fields) != 5 || fields[4] == "" {
			t.Fatalf("testdata/waivers.tsv: %q has not verb, role, call, outcome and reason", l)
		}
		list = append(list, waiver{fields[0], fields[1], fields[2], fields[3], fields[4], false})
	}
	return list
}

// reason is why a fault's outcome is waived, "" if it is not.
func (list waiverList) reason(verb string, f *fault, o outcome) string {
	if !o.isFault() {
		return ""
	}
	for i := range list {
		w := &list[i]
		matches := true
		for pattern, text := range map[string]string{w.verb: verb, w.role: f.role, w.name: f.name, w.outcome: string(o)} {
			if ok, err := path.Match(pattern, text); !ok || err != nil {
				matches = false
			}
		}
		if matches {
			w.used = true
			return w.reason
		}
	}
	return ""
}

// check tells of waivers that nothing needed. Some depend on which process comes first.
func (list waiverList) check(t *testing.T) {
	t.Helper()
	for _, w := range list {
		if !w.used {
			t.Logf("testdata/waivers.tsv: nothing needed %s %s %s %s this time", w.verb, w.role, w.name, w.outcome)
		}
	}
}
