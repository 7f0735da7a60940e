package main

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseUser(t *testing.T) {
	for text, want := range map[string][2]uint32{"0": {0, 7}, "1000": {1000, 7}, "1:2": {1, 2}, "4294967294:0": {4294967294, 0}, "007": {7, 7}} {
		user := specs.User{GID: 7}
		if err := parseUser(text, &user); err != nil || user.UID != want[0] || user.GID != want[1] {
			t.Errorf("%q is %d:%d, %v; want %v", text, user.UID, user.GID, err, want)
		}
	}
	for _, text := range []string{"", ":", "1:", ":1", "root", "1root", "0x1", "+1", "-1", " 1", "1\n", "1:2:3", "4294967295", "4294967296", "1_0", "١"} {
		if user := (specs.User{}); parseUser(text, &user) == nil {
			t.Errorf("%q is %d:%d", text, user.UID, user.GID)
		}
	}
}

// Whatever is taken for a user is what stands there: digits, and nothing else (CVE-2016-3697).
func FuzzParseUser(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		user := specs.User{UID: 65534, GID: 65534}
		if parseUser(text, &user) != nil {
			return
		}
		uid, gid, both := strings.Cut(text, ":")
		if got := decimal(uint64(user.UID)); got != plain(uid) {
			t.Errorf("%q: the uid is %s", text, got)
		}
		if got := decimal(uint64(user.GID)); both && got != plain(gid) || !both && got != "65534" {
			t.Errorf("%q: the gid is %s", text, got)
		}
	})
}

// decimal writes a number by another way than the parser's package has.
func decimal(n uint64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + decimal(n%10)
}

// plain is a number without zeros in front.
func plain(digits string) string {
	if text := strings.TrimLeft(digits, "0"); text != "" || digits == "" {
		return text
	}
	return "0"
}

// Each --cgroup is honoured as it stands, or refused: none is lost and none is invented.
func FuzzSubCgroups(f *testing.F) {
	f.Fuzz(func(t *testing.T, one, two string, both bool) {
		values := []string{one}
		if both {
			values = append(values, two)
		}
		paths, err := subCgroups(values)
		if err != nil {
			return
		}
		named := 0
		for _, value := range values {
			controllers, path, ok := strings.Cut(value, ":")
			if !ok {
				controllers, path = "", value
			}
			for controller := range strings.SplitSeq(controllers, ",") {
				named++
				if got, there := paths[controller]; !there || got != path || ok && controller == "" {
					t.Errorf("%q: %q has the path %q", values, controller, got)
				}
			}
		}
		if named != len(paths) {
			t.Errorf("%q: %d paths of %d", values, len(paths), named)
		}
	})
}
