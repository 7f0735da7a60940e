package seccomp

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreAndRestore(t *testing.T) {
	for _, f := range []*Filter{
		{Instructions: make([]byte, 16), Flags: 4},
		{Instructions: []byte("12345678"), Notify: true, ListenerPath: "/agent", ListenerMetadata: "x\ny"},
	} {
		stored := f.Store()
		got, err := Restore(stored)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(f, got); d != "" {
			t.Error(d)
		}
		for n := range stored {
			if f, err := Restore(stored[:n]); err == nil {
				t.Errorf("the first %d bytes of %d give %v", n, len(stored), f)
			}
		}
		if f, err := Restore(append(stored, 0)); err == nil {
			t.Errorf("a byte too many gives %v", f)
		}
	}
}

func FuzzRestore(f *testing.F) {
	f.Add((&Filter{Instructions: make([]byte, 8)}).Store())
	f.Fuzz(func(t *testing.T, b []byte) {
		filter, err := Restore(b)
		if err == nil && string(filter.Store()) != string(b) {
			t.Errorf("%q gives %q", b, filter.Store())
		}
	})
}
