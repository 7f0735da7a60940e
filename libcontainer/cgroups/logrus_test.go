package cgroups

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/sirupsen/logrus"
)

// What opencontainers/cgroups logs goes to our log, at its level.
func TestModuleLogsToOurLog(t *testing.T) {
	var out bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	log := func(level slog.Level) string {
		out.Reset()
		slog.SetDefault(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
		logrus.Warn("one ", 1)
		logrus.Warnf("two %d", 2)
		logrus.StandardLogger().Logf(logrus.DebugLevel, "three %d", 3)
		logrus.Debug("four")
		logrus.WithError(errors.New("five")).Debugf("cause of %s", "it")
		return out.String()
	}
	warnings := "level=WARN msg=\"one 1\"\nlevel=WARN msg=\"two 2\"\n"
	if got := log(slog.LevelInfo); got != warnings {
		t.Errorf("the log holds %q", got)
	}
	if got, want := log(slog.LevelDebug), warnings+"level=DEBUG msg=\"three 3\"\nlevel=DEBUG msg=four\nlevel=DEBUG msg=\"cause of it: five\"\n"; got != want {
		t.Errorf("the log holds %q, not %q", got, want)
	}
}
