package architecture

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bill is what is looked at of an SPDX document.
type bill struct {
	SPDXVersion   string
	Packages      []billed
	Relationships []struct{ SpdxElementID, RelationshipType, RelatedSpdxElement string }
}

type billed struct {
	Name, SPDXID, VersionInfo, LicenseDeclared, CopyrightText, Comment string
}

// The binary, NOTICE and the bill of materials name the same modules: what is linked, and nothing
// else.
func TestBillOfMaterials(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "oci-run")
	build(t, root, binary)
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile(filepath.Join(root, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := sbom(binary, "NOTICE")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var b bill
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatal(err)
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), "-X:") // what is chosen of Go is not a version
	want := []string{"oci-run 1.2.3", "stdlib " + release}
	for _, m := range info.Deps {
		want = append(want, m.Path+" "+m.Version)
		if m.Replace != nil {
			t.Errorf("%s is replaced", m.Path)
		}
		if !strings.Contains(string(notice), "\n"+m.Path+"    ") {
			t.Errorf("NOTICE lacks %s", m.Path)
		}
	}
	var got []string
	for _, p := range b.Packages {
		got = append(got, p.Name+" "+p.VersionInfo)
		if p.LicenseDeclared == "" || p.CopyrightText == "" || !strings.Contains(string(notice), p.LicenseDeclared) {
			t.Errorf("%s: licence %q, copyright %q", p.Name, p.LicenseDeclared, p.CopyrightText)
		}
	}
	if !slices.Equal(got, want) || b.SPDXVersion != "SPDX-2.3" || len(b.Relationships) != len(want) {
		t.Errorf("%s with %d relationships: %q, want %q", b.SPDXVersion, len(b.Relationships), got, want)
	}
	for what, text := range map[string]string{
		"a module less": strings.Replace(string(notice), "golang.org/x/sys ", "golang.org/x/nothing ", 1),
		"one too many":  string(notice) + "\nexample.org/more    MIT    Copyright somebody\n",
	} {
		file := filepath.Join(dir, "NOTICE")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := sbom(binary, file); err == nil {
			t.Errorf("with %s in NOTICE: %s", what, out)
		}
	}
}

// sbom runs the command; NOTICE is seen from the root of the tree.
func sbom(binary, notice string) ([]byte, error) {
	cmd := exec.Command("go", "run", "./contrib/sbom", binary, "1.2.3", notice)
	cmd.Dir = root
	return cmd.Output()
}
