package dbus

import (
	"slices"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	for _, c := range []struct {
		list string
		want []string
		bad  int
	}{
		{"", nil, 0},
		{"unix:path=/a", []string{"/a"}, 0},
		{"unix:guid=12,path=/a,x=y", []string{"/a"}, 0},
		{"unix:path=/a%20b%2Cc%3b%2f", []string{"/a b,c;/"}, 0},
		{"unix:abstract=/tmp/dbus-X", []string{"@/tmp/dbus-X"}, 0},
		{"unix:runtime=yes", []string{"/run/user/7/bus"}, 0},
		{"tcp:host=a,port=1;unix:path=/a;unix:path=/b;", []string{"/a", "/b"}, 1},
		{"unix:", nil, 1},
		{"unix:path=", nil, 1},
		{"unix:abstract=", nil, 1},
		{"unix:path", nil, 1},
		{"unix:path=/a%2", nil, 1},
		{"unix:path=/a%zz", nil, 1},
		{"unix:path=/a%00", nil, 1},
		{"unix:path=/a,abstract=b", nil, 1},
		{"unix:runtime=no", nil, 1},
		{"/a", nil, 1},
		{"unix:tmpdir=/tmp", nil, 1}, // for those who listen
	} {
		got, errs := ParseAddresses(c.list)
		if !slices.Equal(got, c.want) || len(errs) != c.bad {
			t.Errorf("%q: %q, %v", c.list, got, errs)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if got, errs := ParseAddresses("unix:runtime=yes"); len(got) > 0 || len(errs) != 1 {
		t.Errorf("%q, %v", got, errs)
	}
}
