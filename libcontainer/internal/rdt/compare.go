package rdt

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"oci-run/specconv"
)

// compare checks a group that exists: "runtimes MUST compare l3CacheSchema and/or memBwSchema value
// with schemata file, and generate an error if doesn't match".
func (g *Group) compare() error {
	if g.config.L3CacheSchema == "" && g.config.MemBwSchema == "" {
		return nil
	}
	text, err := os.ReadFile(g.schemata())
	if err != nil {
		return specconv.Field(pointer, err)
	}
	for _, w := range [...]struct{ field, schema string }{
		{"/l3CacheSchema", g.config.L3CacheSchema},
		{"/memBwSchema", g.config.MemBwSchema},
	} {
		if w.schema != "" && !holds(string(text), w.schema) {
			return specconv.Fieldf(pointer+w.field, "group %q exists with other schemata, %q: must be the same, %q", g.path(), oneLine(string(text)), w.schema)
		}
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// holds tells whether a schemata file says what each line of a schema like "L3:0=7f0;1=1f" does.
// The file may say more: the schema need not name all caches.
func holds(file, schema string) bool {
	for line := range strings.SplitSeq(strings.TrimRight(schema, "\n"), "\n") {
		if !holdsLine(file, line) {
			return false
		}
	}
	return true
}

// holdsLine compares numbers by value, for the kernel pads them.
func holdsLine(file, schema string) bool {
	resource, domains, found := strings.Cut(schema, ":")
	if !found {
		return false
	}
	have := map[string]string{}
	for line := range strings.Lines(file) {
		name, list, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(name) == strings.TrimSpace(resource) {
			for domain := range strings.SplitSeq(list, ";") {
				id, value, _ := strings.Cut(domain, "=")
				have[number(id, 10)] = number(value, base(resource))
			}
		}
	}
	for domain := range strings.SplitSeq(domains, ";") {
		id, value, _ := strings.Cut(domain, "=")
		if got, found := have[number(id, 10)]; !found || got != number(value, base(resource)) {
			return false
		}
	}
	return true
}

// base is that of a resource's values: bandwidths are decimal numbers, cache masks hexadecimal.
func base(resource string) int {
	if name := strings.TrimSpace(resource); name == "MB" || strings.HasSuffix(name, "MBA") {
		return 10
	}
	return 16
}

// number gives a number its one spelling, and leaves other text as it is.
func number(text string, base int) string {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), base, 64)
	if err != nil {
		return fmt.Sprintf("%q", text)
	}
	return strconv.FormatUint(n, 10)
}
