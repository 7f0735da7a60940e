package main

import (
	"syscall"
	"testing"
)

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"9": 9, "0": 0, "64": 64, "KILL": 9, "SIGKILL": 9, "sigkill": 9, "Term": 15, "SIGRTMIN": 34, "RTMIN+3": 37,
		"SIGRTMAX-1": 63, "RTMAX": 64, "SIGIO": 29, "WINCH": 28,
	} {
		if got, err := parseSignal(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "65", "SIG", "NOPE", "SIGSIGKILL", "RTMIN-1", "RTMAX+1", "RTMIN+x", "9x", "0x9", " 9"} {
		if got, err := parseSignal(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func FuzzParseSignal(f *testing.F) {
	f.Add("SIGRTMIN+1")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseSignal(text); err == nil && (s < 0 || s > sigRTMax) {
			t.Errorf("%q is %d", text, s)
		}
	})
}
