package specconv

import (
	"errors"
	"os"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"", `config.json: the file is empty`},
		{" \n\t", `config.json: the file is empty`},
		{"[]", `config.json: is an array, must be an object`},
		{"\n  \"x\"", `config.json:2:3: is a string, must be an object`},
		{`{"process":{"args":"sh"}}`, `config.json: /process/args: is a string, must be an array of strings`},
		{"{\n\t\"process\": {\n\t\t\"args\": [\"sh\", 5]\n\t}\n}", `config.json:3:18: /process/args/1: is a number, must be a string`},
		{`{"mounts":[{"destination":"/a"},{"destination": [1]}]}`, `config.json: /mounts/1/destination: is an array, must be a string`},
		{`{"process":{"user":{"uid":-7}}}`, `config.json: /process/user/uid: is the number -7, must be an unsigned integer of 32 bits`},
		{`{"process":{"user":{"gid":4294967296}}}`, `config.json: /process/user/gid: is the number 4294967296, must be an unsigned integer of 32 bits`},
		{`{"process":{"terminal":"yes"}}`, `config.json: /process/terminal: is a string, must be a boolean`},
		{`{"process":{"rlimits":{}}}`, `config.json: /process/rlimits: is an object, must be an array of objects`},
		{`{"process":{"oomScoreAdj":true}}`, `config.json: /process/oomScoreAdj: is a boolean, must be an integer of 64 bits`},
		{`{"linux":{"sysctl":{"net/core/a~b":1}}}`, `config.json: /linux/sysctl/net~1core~1a~0b: is a number, must be a string`},
		{`{"hostname":"ü","process":{"cwd":1}}`, `config.json: /process/cwd: is a number, must be a string`},
		{`{"process":{"cwd":"/"} "root":{}}`, `config.json:1:24: invalid character '"' after object key:value pair`},
		{"{\"process\":{\n\"cwd\":\"/\",}}", `config.json:2:11: /process: invalid character '}' looking for beginning of object key string`},
		{`{"process":{"cwd":"/"}} {}`, `config.json:1:25: invalid character '{' after top-level value`},
		{`{"process":{"args":["sh"`, `config.json:1:25: /process/args/0: unexpected end of JSON input`},
		{`{"hostname":"a","hostname":"b"}`, `config.json: /hostname: appears twice, at 1:2 and at 1:17`},
		{"{\n \"linux\": {\"seccomp\": {},\n  \"ſeccomp\": 1, \"seccomp\": null}}", `config.json:3:17: /linux/seccomp: appears twice, at 2:12 and at 3:17`},
		{"{\"annotations\": {\"a/b\": \"\",\n\"a/b\": \"\"}}", `config.json:2:1: /annotations/a~1b: appears twice, at 1:18 and at 2:1`},
		{"{\"linux\": {\n\"devices\": [{\"type\": \"c\", \"path\": \"/a\", \"minor\": 1}]}, \"ociVersion\": \"1.0.0\"}", `config.json:2:13: /linux/devices/0/major: is missing`},
		{`{"process":{"args":["s`, `config.json:1:23: /process/args/0: unexpected end of JSON input`},
	} {
		_, err := Parse([]byte(c.raw))
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Errorf("Parse(%s): %v, want a FieldError", c.raw, err)
			continue
		}
		if got := locateIn(configName, []byte(c.raw), err).Error(); got != c.want {
			t.Errorf("Parse(%s):\n got %s\nwant %s", c.raw, got, c.want)
		}
	}
}

func TestParseIgnoresUnknown(t *testing.T) {
	s, err := Parse([]byte(`{"ociVersion":"1.9.0","future":{"a":[1,{}]},"process":{"cwd":"/","futureToo":null}}`))
	if err != nil || s.Version != "1.9.0" || s.Process.Cwd != "/" {
		t.Errorf("Parse: %+v, %v", s, err)
	}
}

func TestParseNull(t *testing.T) {
	s, err := Parse([]byte("null"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkSpec(s); err == nil || err.Error() != "/ociVersion: is missing" {
		t.Errorf("Check: %v", err)
	}
}

func TestDecodeProcess(t *testing.T) {
	raw := []byte(`{"args": "sh"}`)
	_, err := Decode(raw, new(specs.Process))
	err = locateIn("process.json", raw, err)
	if want := "process.json: /args: is a string, must be an array of strings"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	// Small seeds: go test minimizes what it finds, for a minute each if that is long.
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"cwd":"/","args":["a"],"user":{"uid":1}},"hostname":"h"}`))
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"cwd":"/","args":["a"],"env":["A=1"]},"mounts":[{"destination":"x",` +
		`"options":["bind"]}],"linux":{"namespaces":[{"type":"user"},{"type":"time"}],"uidMappings":[{"size":9}],"gidMappings":[{"size":9}]}}`))
	f.Add([]byte(`{"process":{"args":["s`))
	f.Add([]byte(`{"ociVersion":"1.0.0","linux":{"sysctl":{"a":1}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if err == nil {
			_, err = checkSpec(s)
			if err == nil {
				complete(s, "/bundle")
			}
		}
		if err == nil {
			return
		}
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Fatalf("not a FieldError: %v", err)
		}
		var pe *positionError
		if !errors.As(locateIn(configName, raw, err), &pe) || (pe.Line < 1 || pe.Column < 1) && !isOneLine(raw) {
			t.Fatalf("no position: %v", err)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	raw, err := os.ReadFile("testdata/podman-5-plain.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := Parse(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	s, _ := Parse(raw)
	b.Run("Check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := checkSpec(s); err != nil && s == nil {
				b.Fatal(err)
			}
		}
	})
}
