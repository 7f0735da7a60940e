package main

import (
	"strconv"
	"strings"
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

// FuzzParseBytes: a number without a unit is that number, and a unit makes it no smaller.
func FuzzParseBytes(f *testing.F) {
	for _, seed := range []string{"-1", "0", "52428800", "1.5G", "50MiB", "1e3", "9999999999P", "k", "1 K", "nan", "-0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got *int64
		if parseBytes(&got, text) != nil {
			return
		}
		if *got < -1 || *got == -1 && text != "-1" {
			t.Errorf("%q is %d", text, *got)
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n < 1<<53 && n != *got {
			t.Errorf("%q is %d", text, *got)
		}
		var more *int64
		if *got > 0 && strings.Trim(text, "0123456789") == "" && parseBytes(&more, text+"K") == nil && *more < *got {
			t.Errorf("%qK is %d", text, *more)
		}
	})
}
