package libcontainer_test

import (
	"bytes"
	"log/slog"
	"testing"

	"oci-run/internal/log"
	"oci-run/libcontainer"
)

// A program's own logger gets each message once, at its level; *slog.Logger is one.
func TestSetLogger(t *testing.T) {
	defer log.SetHandler(log.SetHandler(nil))
	for debug, want := range map[bool]string{
		false: "level=INFO msg=init's\nlevel=WARN msg=odd\nlevel=ERROR msg=broken\n",
		true:  "level=DEBUG msg=progress\nlevel=INFO msg=init's\nlevel=WARN msg=odd\nlevel=ERROR msg=broken\n",
	} {
		var out bytes.Buffer
		var logger libcontainer.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
		libcontainer.SetLogger(logger, debug)
		log.Debug("progress")
		log.Log(log.LevelInfo, "init's")
		log.Warn("odd")
		log.Log(log.LevelError, "broken")
		if out.String() != want {
			t.Errorf("debug %v: got\n%swant\n%s", debug, out.String(), want)
		}
	}
	libcontainer.SetLogger(nil, true)
	if log.Enabled(log.LevelDebug) {
		t.Error("without a logger, progress is wanted")
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
