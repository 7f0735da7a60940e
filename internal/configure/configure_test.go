package configure

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// host makes a host's root directory with one file.
func host(t *testing.T, path, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return dir
}

func request(engine, dir string) *Request {
	return &Request{Engine: engine, Host: dir, Name: "oci-run", Binary: "/usr/bin/oci-run"}
}

// places are where the engines' are.
var places = map[string]string{
	"docker": "/etc/docker/daemon.json", "podman": "/etc/containers/containers.conf.d/oci-run.conf",
	"containerd": "/etc/containerd/config.toml", "crio": "/etc/crio/crio.conf.d/oci-run.conf",
}

const cri = `[plugins."io.containerd.grpc.v1.cri".containerd`

// changes are documents before and after; the same comes of the second one with Remove, but for
// those that are marked.
var changes = []struct {
	name, engine  string
	byDefault     bool
	before, after string
	oneWay        bool // Remove gives something else that means the same
}{
	{
		"indented by four", "docker", false,
		"{\n    \"debug\": true,\n    \"log-opts\": {\n        \"max-size\": \"10m\"\n    }\n}\n",
		"{\n    \"debug\": true,\n    \"log-opts\": {\n        \"max-size\": \"10m\"\n    },\n    \"runtimes\": {\n        \"oci-run\": {\n            \"path\": \"/usr/bin/oci-run\"\n        }\n    }\n}\n", false,
	},
	{
		"another runtime", "docker", true,
		"{\n  \"runtimes\": {\n    \"kata\": {\n      \"runtimeType\": \"io.containerd.kata.v2\"\n    }\n  },\n  \"debug\": false\n}",
		"{\n  \"runtimes\": {\n    \"kata\": {\n      \"runtimeType\": \"io.containerd.kata.v2\"\n    },\n    \"oci-run\": {\n      \"path\": \"/usr/bin/oci-run\"\n    }\n  },\n  \"debug\": false,\n  \"default-runtime\": \"oci-run\"\n}", false,
	},
	{
		"on one line", "docker", false,
		`{"debug": true, "hosts": ["fd://", "unix:///var/run/docker.sock"]}`,
		`{"debug": true, "hosts": ["fd://", "unix:///var/run/docker.sock"], "runtimes": {"oci-run": {"path": "/usr/bin/oci-run"}}}`, false,
	},
	{
		"another path, and arguments that stay", "docker", false,
		"{\"runtimes\": {\"oci-run\": {\"path\": \"/old\", \"runtimeArgs\": [\"--debug\"]}, \"a\": {\"path\": \"}\\\"{\"}}}\n",
		"{\"runtimes\": {\"oci-run\": {\"path\": \"/usr/bin/oci-run\", \"runtimeArgs\": [\"--debug\"]}, \"a\": {\"path\": \"}\\\"{\"}}}\n", true,
	},
	{
		"empty objects", "docker", false,
		"{\n\t\"runtimes\": {}\n}\n",
		"{\n\t\"runtimes\": {\n\t\t\"oci-run\": {\n\t\t\t\"path\": \"/usr/bin/oci-run\"\n\t\t}\n\t}\n}\n", true,
	},
	{
		"as containerd is packaged", "containerd", true,
		"version = 2\n\n[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    [plugins.\"io.containerd.grpc.v1.cri\".cni]\n      bin_dir = \"/opt\"\n  [plugins.\"io.containerd.internal.v1.opt\"]\n    path = \"/var\"\n",
		"version = 2\n\n[plugins]\n  [plugins.\"io.containerd.grpc.v1.cri\"]\n    [plugins.\"io.containerd.grpc.v1.cri\".cni]\n      bin_dir = \"/opt\"\n\n" +
			"    " + cri + "]\n      default_runtime_name = \"oci-run\"\n\n" +
			"    " + cri + ".runtimes.runc]\n      runtime_type = \"io.containerd.runc.v2\"\n\n" +
			"    " + cri + ".runtimes.oci-run]\n      runtime_type = \"io.containerd.runc.v2\"\n\n" +
			"    " + cri + ".runtimes.oci-run.options]\n      BinaryName = \"/usr/bin/oci-run\"\n" +
			"  [plugins.\"io.containerd.internal.v1.opt\"]\n    path = \"/var\"\n", false,
	},
	{
		"runc with systemd, version 3, comments", "containerd", false,
		"# site\nversion = 3 # new\nimports = [\n  'a', # one\n]\n\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n# Root = \"\"\n\n# what follows\n[debug]\nlevel = \"info\"\n",
		"# site\nversion = 3 # new\nimports = [\n  'a', # one\n]\n\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n# Root = \"\"\n\n" +
			"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.oci-run]\nruntime_type = \"io.containerd.runc.v2\"\n\n" +
			"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.oci-run.options]\nBinaryName = \"/usr/bin/oci-run\"\nSystemdCgroup = true\n" +
			"\n# what follows\n[debug]\nlevel = \"info\"\n", false,
	},
	{
		"dotted keys", "podman", false,
		"[engine]\nruntimes.crun = [\"/usr/bin/crun\"]\nruntime_supports_json = [\n  \"crun\",\n  \"runc\", # as packaged\n]\nruntime_supports_nocgroup = [\"crun\", \"krun\"]\n",
		"[engine]\nruntimes.crun = [\"/usr/bin/crun\"]\nruntimes.oci-run = [\"/usr/bin/oci-run\"]\nruntime_supports_json = [\n  \"crun\",\n  \"runc\",\n  \"oci-run\", # as packaged\n]\nruntime_supports_nocgroup = [\"crun\", \"krun\", \"oci-run\"]\n", true,
	},
	{
		"other runtimes beside it", "crio", true,
		"[crio.runtime]\r\nlog_level = \"info\"\r\n\r\n[crio.runtime.runtimes.crun]\r\nruntime_path = \"/usr/bin/crun\"\r\n",
		"[crio.runtime]\r\nlog_level = \"info\"\r\ndefault_runtime = \"oci-run\"\r\n\r\n[crio.runtime.runtimes.crun]\r\nruntime_path = \"/usr/bin/crun\"\r\n\r\n[crio.runtime.runtimes.oci-run]\r\nruntime_path = \"/usr/bin/oci-run\"\r\nruntime_type = \"oci\"\r\nruntime_root = \"/run/oci-run\"\r\n", false,
	},
	{
		"tables of which there are several", "crio", false,
		"[[other]]\na = 1\n[other.b]\nc = 2\n[[other]]\na = 3\n[other.b]\nc = '''x\n[crio.runtime]\n'''\n",
		"[[other]]\na = 1\n[other.b]\nc = 2\n[[other]]\na = 3\n[other.b]\nc = '''x\n[crio.runtime]\n'''\n\n[crio.runtime.runtimes.oci-run]\nruntime_path = \"/usr/bin/oci-run\"\nruntime_type = \"oci\"\nruntime_root = \"/run/oci-run\"\n", false,
	},
}

func TestChanges(t *testing.T) {
	for _, c := range changes {
		t.Run(c.engine+" "+c.name, func(t *testing.T) {
			dir := host(t, places[c.engine], c.before)
			r := request(c.engine, dir)
			r.Default = c.byDefault
			change := write(t, r)
			if d := cmp.Diff(c.after, read(t, dir, places[c.engine])); d != "" {
				t.Fatalf("(-want +got):\n%s\n%s", d, change.Diff())
			}
			if again, err := Plan(r); err != nil || again.Changes() {
				t.Errorf("the second time: %v\n%s", err, again.Diff())
			}
			r.Default, r.Remove = false, true
			write(t, r)
			got := read(t, dir, places[c.engine])
			if strings.Contains(got, "oci-run") {
				t.Errorf("removed, and still there:\n%s", got)
			}
			if d := cmp.Diff(c.before, got); d != "" && !c.oneWay {
				t.Errorf("removed (-want +got):\n%s", d)
			}
		})
	}
}

func write(t *testing.T, r *Request) *Change {
	t.Helper()
	c, err := Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(); err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, dir, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What isn't understood is refused with its line, and stays as it is.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ engine, text, want string }{
		{"docker", "{\n  \"debug\": true,\n}\n", "daemon.json:3: is not JSON: "},
		{"docker", "{\"a\": 1", "daemon.json:1: is not JSON: "},
		{"docker", "{} {}", "daemon.json:1: is not JSON: "},
		{"docker", "[]", "daemon.json:1: must be an object"},
		{"docker", "{\n\"runtimes\": []\n}", `daemon.json:2: "runtimes" must be an object`},
		{"docker", "{\n\"runtimes\": null\n}", `daemon.json:2: "runtimes" must be an object`},
		{"docker", "{\n\"Runtimes\": {}\n}", `daemon.json:2: "Runtimes" must be written "runtimes"`},
		{"docker", "{\"a\": 1,\n\"a\": 2}", `daemon.json:2: "a" is there twice, first in line 1`},
		{"docker", "{\n\"run\\u0074imes\": {}}", "daemon.json:2: there is no key without escapes"},
		{"docker", "{\"runtimes\": {\"oci-run\": {\"runtimeType\": \"x\"}}}", `is one of another kind, "x"; give another --name`},
		{"docker", "{\"runtimes\": {\"oci-run\": {\"path\": {}}}}", `"runtimes.oci-run.path" must be a single value`},
		{"containerd", "root = \"/x\"\n", "config.toml:1: is of version 1"},
		{"containerd", "version = 1\n", "config.toml:1: is of version 1"},
		{"containerd", "version = 9\n", "version is 9, must be 2, 3 or 4"},
		{"containerd", "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n", "config.toml:2: disabled_plugins has the CRI plugin in it"},
		{"containerd", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nruntimes = {}\n", `config.toml:3: "plugins.io.containerd.grpc.v1.cri.containerd.runtimes" must be a table with a line`},
		{"containerd", "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.oci-run]\nruntime_type = \"io.containerd.kata.v2\"\n", "of another kind"},
		{"containerd", "version = 2\n{{ template \"base\" . }}\n", "config.toml:2: there is no key"},
		{"crio", "[crio\n", "oci-run.conf:1: there is no ] where one is expected"},
		{"crio", "a = \"x\n", "oci-run.conf:1: a string has no end"},
		{"crio", "\na = [1, 2\nb = 3\n", "oci-run.conf:3: there is neither , nor ]"},
		{"crio", "a = \n", "oci-run.conf:1: there is no value"},
		{"crio", "a = 1 b = 2\n", "oci-run.conf:1: something follows in the same line"},
		{"crio", "a 1\n", "oci-run.conf:1: there is no = where one is expected"},
		{"crio", "[a]\nb = 1\n[a]\n", `oci-run.conf:3: "a" is there twice, first in line 1`},
		{"crio", "a = 1\na.b = 2\n", `oci-run.conf:2: "a.b" is there twice, first in line 1`},
		{"crio", "a = \"\xff\"\n", "is not UTF-8"},
		{"crio", "a = \"\x00\"\n", "has a control character"},
		{"crio", "a = " + strings.Repeat("[", 100000), "nested too deeply"},
		{"crio", "[[crio.runtime]]\na = 1\n", `oci-run.conf:1: "crio.runtime" is a list of tables`},
		{"crio", "[crio.runtime]\nRuntimes.oci-run.runtime_path = 1\n", "must be written"},
	} {
		r := request(c.engine, host(t, places[c.engine], c.text))
		if _, err := Plan(r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %.60q: %v, want %q", c.engine, c.text, err, c.want)
		}
		if got := read(t, r.Host, places[c.engine]); got != c.text {
			t.Errorf("%s: %q has become %q", c.engine, c.text, got)
		}
	}
}

// What somebody else has written between the look and the change is not lost.
func TestChangedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name  string
		other func(path string) error
	}{
		{"written", func(path string) error { return os.WriteFile(path, []byte(`{"debug": true}`), 0o644) }},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", []byte(`{}`), 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
		{"removed", os.Remove},
		{"made a link", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", path)
		}},
	} {
		dir := host(t, places["docker"], "{}")
		change, err := Plan(request("docker", dir))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, places["docker"])
		if err := c.other(path); err != nil {
			t.Fatal(err)
		}
		if _, err := change.Write(); err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "oci-run") {
			t.Errorf("%s: overwritten by %s", c.name, text)
		}
	}
	// The same for a file that wasn't there.
	dir := t.TempDir()
	change, err := Plan(request("crio", dir))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, places["crio"])
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := change.Write(); err == nil || read(t, dir, places["crio"]) != "# mine\n" {
		t.Errorf("a file that has come meanwhile: %v, %q", err, read(t, dir, places["crio"]))
	}
}

// What is made before it has its name doesn't stay if it can't get that.
func TestNothingHalfMadeStays(t *testing.T) {
	dir := host(t, places["docker"], "{}")
	change, err := Plan(request("docker", dir))
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(dir, places["docker"]+backupSuffix)
	if err := os.MkdirAll(filepath.Join(backup, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := change.Write(); err == nil || !strings.Contains(err.Error(), backup) {
		t.Errorf("a directory in the place of the backup: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(backup))
	if err != nil || len(entries) != 2 || read(t, dir, places["docker"]) != "{}" {
		t.Errorf("%v, %v", entries, err)
	}
}

// FuzzChange: whatever stands in a file, it is refused or changed so that it is not changed again,
// and what is added can be removed.
func FuzzChange(f *testing.F) {
	for _, c := range changes {
		f.Add(c.engine, c.before)
	}
	f.Fuzz(func(t *testing.T, engine, text string) {
		at := slices.Index(Engines(), engine)
		if places[engine] == "" || len(text) > 4096 {
			t.Skipf("%q has no file of its own, or the text is longer than 4096 bytes", engine)
		}
		e := &byName[at]
		change := func(text string, r *Request) (string, error) {
			r.Name, r.Binary, r.Config = "oci-run", "/bin/x", "/named"
			d, err := parse(e.format, "file", text)
			if err == nil {
				err = r.change(e, d)
			}
			if err != nil {
				return "", err
			}
			return d.text, nil
		}
		once, err := change(text, &Request{Default: true})
		if err != nil {
			return
		}
		if twice, err := change(once, &Request{Default: true}); err != nil || twice != once {
			t.Fatalf("%q, then %q, then %q, %v", text, once, twice, err)
		}
		without, err := change(once, &Request{Remove: true})
		if err != nil {
			t.Fatalf("%q, then %q: %v", text, once, err)
		}
		if again, err := change(without, &Request{Remove: true}); err != nil || again != without {
			t.Fatalf("%q, without %q, then %q, %v", text, without, again, err)
		}
	})
}
