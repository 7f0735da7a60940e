package linux

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNameCall(t *testing.T) {
	for _, err := range []error{nil, unix.ENOENT, unix.EACCES, unix.EINVAL, errors.New("another")} {
		if got := NameCall("fsopen", err); got != err { //nolint:errorlint // it must be the same
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		err := NameCall("fsopen", errno)
		if !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), "fsopen: "+errno.Error()) {
			t.Error(err)
		}
	}
	if err := NameCall("fsopen", unix.ENOSYS); !strings.Contains(err.Error(), "Linux has fsopen since 5.2, this is ") {
		t.Error(err)
	}
}

func TestOlder(t *testing.T) {
	for release, want := range map[string]bool{
		"5.1.0": true, "4.18.0-553.el8.x86_64": true, "5.2.0": false, "5.10-rc1": false, "6.1": false, "5": true, "six": false, "": false,
	} {
		if older(release, 5, 2) != want {
			t.Errorf("%q is older than 5.2: %t", release, !want)
		}
	}
}

func TestCallsAreSorted(t *testing.T) {
	var names []string
	for _, c := range calls {
		names = append(names, c.name)
	}
	if !slices.IsSorted(names) {
		t.Error(names)
	}
}
