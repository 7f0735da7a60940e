package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"oci-run/tests/fdleak"
)

func TestMain(m *testing.M) { fdleak.Main(m) }

// program builds one for an architecture.
func program(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\"here\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "program."+arch)
	cmd := exec.Command("go", "build", "-o", out, filepath.Join(dir, "main.go"))
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GO111MODULE=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// unpack gives the files of a tar, in whose headers nothing depends on who has made it.
func unpack(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if head.Uid != 0 || head.Gid != 0 || head.Uname != "" || head.ModTime.Unix() != 0 {
			t.Errorf("%s: of %d:%d (%s), %v", head.Name, head.Uid, head.Gid, head.Uname, head.ModTime)
		}
		if files[head.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// follow reads the blob of a descriptor, which is what the descriptor says.
func follow(t *testing.T, files map[string][]byte, d descriptor, media string, into any) []byte {
	t.Helper()
	text, there := files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
	if !there || d.MediaType != media || d.Size != len(text) || "sha256:"+digest(text) != d.Digest {
		t.Fatalf("%+v: %v, %d bytes, %s", d, there, len(text), digest(text))
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// holds looks at the image of a manifest's descriptor.
func holds(t *testing.T, files map[string][]byte, d descriptor, arch, binary string) {
	t.Helper()
	var m manifest
	var c config
	follow(t, files, d, mediaManifest, &m)
	follow(t, files, m.Config, mediaConfig, &c)
	if d.Platform == nil || d.Platform.Architecture != arch || c.Architecture != arch || c.OS != "linux" || len(m.Layers) != 1 || m.SchemaVersion != 2 {
		t.Fatalf("%+v, %+v, %+v", d, m, c)
	}
	z, err := gzip.NewReader(bytes.NewReader(follow(t, files, m.Layers[0], mediaLayer, nil)))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if c.RootFS.Type != "layers" || len(c.RootFS.DiffIDs) != 1 || c.RootFS.DiffIDs[0] != "sha256:"+digest(layer) {
		t.Errorf("%+v", c.RootFS)
	}
	want, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if all := unpack(t, layer); len(all) != 1 || !bytes.Equal(all["oci-run"], want) {
		t.Errorf("the layer has %d files", len(all))
	}
}

func TestArchive(t *testing.T) {
	binaries := []string{program(t, "amd64"), program(t, "arm64")}
	for _, some := range [][]string{binaries[:1], binaries} {
		t.Setenv("SOURCE_DATE_EPOCH", "")
		archive := filepath.Join(t.TempDir(), "image.tar")
		if err := write(archive, "1.2", some); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		files := unpack(t, text)
		if string(files["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
			t.Errorf("oci-layout: %s", files["oci-layout"])
		}
		var top index
		if err := json.Unmarshal(files["index.json"], &top); err != nil || len(top.Manifests) != 1 || top.SchemaVersion != 2 {
			t.Fatalf("%v: %s", err, files["index.json"])
		}
		d := top.Manifests[0]
		if d.Annotations["io.containerd.image.name"] != "localhost/oci-run:1.2" {
			t.Errorf("annotations: %v", d.Annotations)
		}
		manifests := []descriptor{d}
		if len(some) > 1 {
			var inner index
			follow(t, files, d, mediaIndex, &inner)
			manifests = inner.Manifests
		}
		if len(manifests) != len(some) {
			t.Fatalf("%d images of %d binaries", len(manifests), len(some))
		}
		for i, m := range manifests {
			holds(t, files, m, []string{"amd64", "arm64"}[i], some[i])
		}
		if err := write(archive+".again", "1.2", some); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(archive + ".again"); err != nil || !bytes.Equal(again, text) {
			t.Errorf("the second time, other bytes: %v", err)
		}
	}
}

func TestWrongInput(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "image.tar")
	if err := write(archive, "1", []string{"main.go"}); err == nil || !strings.Contains(err.Error(), "main.go: ") {
		t.Errorf("a file that is not a program: %v", err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "now")
	if err := write(archive, "1", []string{"main.go"}); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("a wrong time: %v", err)
	}
	if _, err := os.Stat(archive); err == nil {
		t.Error("an archive is left")
	}
}
