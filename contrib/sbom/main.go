// Command sbom writes what a binary is made of as a software bill of materials, SPDX 2.3 in JSON:
//
//	sbom BINARY VERSION NOTICE
//
// The modules and their versions are those that the linker noted in the binary (debug/buildinfo),
// their licences those of NOTICE: one that NOTICE lacks, or has too many, is an error.
// SOURCE_DATE_EPOCH is the time of creation; without it, it is that of the binary.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY VERSION NOTICE")
		os.Exit(2)
	}
	doc, err := describe(os.Args[1], os.Args[2], os.Args[3])
	if err == nil {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err = out.Encode(doc)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// standardLibrary is the name of Go's own part, in NOTICE and in package URLs.
const (
	standardLibrary = "Go standard library and runtime"
	standardPackage = "stdlib"
)

// The parts of an SPDX document that are used (https://spdx.github.io/spdx-spec/v2.3).
type (
	document struct {
		Version       string         `json:"spdxVersion"`
		License       string         `json:"dataLicense"`
		ID            string         `json:"SPDXID"`
		Name          string         `json:"name"`
		Namespace     string         `json:"documentNamespace"`
		Creation      creation       `json:"creationInfo"`
		Packages      []pkg          `json:"packages"`
		Relationships []relationship `json:"relationships"`
	}
	creation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	pkg struct {
		Name      string     `json:"name"`
		ID        string     `json:"SPDXID"`
		Version   string     `json:"versionInfo"`
		Location  string     `json:"downloadLocation"`
		Analyzed  bool       `json:"filesAnalyzed"`
		Concluded string     `json:"licenseConcluded"`
		Declared  string     `json:"licenseDeclared"`
		Copyright string     `json:"copyrightText"`
		Purpose   string     `json:"primaryPackagePurpose"`
		Checksums []checksum `json:"checksums,omitempty"`
		External  []external `json:"externalRefs,omitempty"`
		Comment   string     `json:"comment,omitempty"`
	}
	checksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	external struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	relationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

// terms are what NOTICE says of a module.
type terms struct{ license, copyright string }

func describe(binary, version, notice string) (*document, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	known, err := readNotice(notice)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	created, err := creationTime(binary)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	doc := &document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "oci-run-" + version,
		Namespace: "https://spdx.org/spdxdocs/oci-run-" + version + "-" + digest,
		Creation:  creation{created.UTC().Format(time.RFC3339), []string{"Tool: oci-run-sbom"}},
		Packages: []pkg{{
			Name: "oci-run", ID: "SPDXRef-oci-run", Version: version, Location: "NOASSERTION", Concluded: "Apache-2.0", Declared: "Apache-2.0",
			Copyright: "Copyright 2026 The oci-run authors", Purpose: "APPLICATION", Checksums: []checksum{{"SHA256", digest}},
		}},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-oci-run"}},
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), "-X:") // "go1.26.8-X:nogreenteagc"
	if err := doc.add(standardPackage, release, "", standardLibrary, known); err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("module %s is replaced by %s, which has no name to list", m.Path, m.Replace.Path)
		}
		if err := doc.add(m.Path, m.Version, m.Sum, m.Path, known); err != nil {
			return nil, err
		}
	}
	for name := range known {
		return nil, fmt.Errorf("%s: %s is not in the binary", notice, name)
	}
	return doc, nil
}

// add adds a module that is linked in, and takes it out of those of NOTICE.
func (d *document) add(path, version, sum, name string, known map[string]terms) error {
	t, ok := known[name]
	if !ok {
		return fmt.Errorf("module %s is in the binary, but not in NOTICE", name)
	}
	delete(known, name)
	id := "SPDXRef-" + strings.Map(func(c rune) rune {
		if strings.ContainsRune("/_@", c) {
			return '-'
		}
		return c
	}, path)
	p := pkg{
		Name: path, ID: id, Version: version, Location: "NOASSERTION",
		Concluded: t.license, Declared: t.license, Copyright: t.copyright, Purpose: "LIBRARY",
		External: []external{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + version}},
	}
	if sum != "" {
		p.Comment = "go.sum: " + sum
	}
	d.Packages = append(d.Packages, p)
	d.Relationships = append(d.Relationships, relationship{"SPDXRef-oci-run", "STATIC_LINK", id})
	return nil
}

// readNotice reads the table of NOTICE: name, licence and copyright, with at least two blanks
// between them.
func readNotice(file string) (map[string]terms, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := map[string]terms{}
	for line := range strings.Lines(string(text)) {
		words := slices.DeleteFunc(strings.Split(strings.TrimSpace(line), "  "), func(s string) bool { return s == "" })
		if len(words) != 3 || strings.HasPrefix(line, " ") {
			continue
		}
		if _, twice := out[words[0]]; twice {
			return nil, fmt.Errorf("%s has %s twice", file, words[0])
		}
		out[words[0]] = terms{strings.TrimSpace(words[1]), strings.TrimSpace(words[2])}
	}
	return out, nil
}

func creationTime(binary string) (time.Time, error) {
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		n, err := strconv.ParseInt(epoch, 10, 64)
		return time.Unix(n, 0), err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
