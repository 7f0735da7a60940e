package fdleak

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestSinceNamesWhatIsLeftOpen(t *testing.T) {
	before := warm()
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	leaked := since(before)
	file.Close()
	if len(leaked) != 1 {
		t.Errorf("with one file open: %q", leaked)
	}
	if leaked := since(before); len(leaked) != 0 {
		t.Errorf("after it was closed: %q", leaked)
	}
}
