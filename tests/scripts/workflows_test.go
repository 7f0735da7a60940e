package scripts

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWorkflowsNameTargets: what the forge's workflows, the checklist of a release and the table of
// docs/testing.md run with make is a target of the Makefile.
func TestWorkflowsNameTargets(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no workflows")
	}
	command := regexp.MustCompile("(?m)(?:^|[ `$])make ([a-z-]+)(?:[ `;&\n]|$)")
	for _, file := range append(files, "../../docs/RELEASING.md", "../../docs/testing.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, m := range command.FindAllStringSubmatch(withoutProse(string(text), file), -1) {
			named++
			if !targets[m[1]] {
				t.Errorf("%s runs `make %s`, which the Makefile does not have", file, m[1])
			}
		}
		if named == 0 {
			t.Errorf("%s runs nothing with make", file)
		}
	}
}

// TestReleaseGetsArchitectures: what makes a release, and what tests one, gets all architectures of
// the Makefile, and those of CROSS where it is set.
func TestReleaseGetsArchitectures(t *testing.T) {
	for _, target := range []string{"dist", "test-dist"} {
		for cross, want := range map[string]string{"": "CROSS='amd64 arm64 ", "CROSS=arm": "CROSS='arm' "} {
			out, err := exec.Command("make", "--no-print-directory", "-n", "-C", "../..", target, cmp.Or(cross, "IMAGE_ARCHS=")).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "\n"+want) {
				t.Errorf("make %s %s: %v, not with %s: %s", target, cross, err, want, out)
			}
		}
	}
}

// TestReleaseNotes: the text of a release is the section of its version, which the changelog has,
// and nothing of the other ones.
func TestReleaseNotes(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	heading := "\n## [" + strings.TrimSuffix(strings.TrimSpace(string(version)), "-dev") + "] - "
	_, section, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("CHANGELOG.md has no heading that begins with %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, want, _ := strings.Cut(section, "\n") // the rest of the heading
	out, err := exec.Command("../../packaging/changelog", "notes").Output()
	if err != nil || strings.TrimSpace(string(out)) != strings.TrimSpace(want) {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, out, want)
	}
}

// withoutProse keeps what is code in a document: between backquotes, and lines that begin with a
// prompt. Of a workflow it takes the comments away.
func withoutProse(text, file string) string {
	if !strings.HasSuffix(file, ".md") {
		return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
	}
	var code strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "# ") {
			code.WriteString(line)
		}
		for i, part := range strings.Split(line, "`") {
			if i%2 == 1 {
				code.WriteString("`" + part + "`\n")
			}
		}
	}
	return code.String()
}
