package spelling

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"create", "start", "state", "delete", "network", "pid", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP", "CAP_KILL", "CAP_CHOWN", "CAP_SYS_ADMIN"}
	for unknown, want := range map[string]string{
		"strat": "start", "stat": "start", "cretae": "create", "netwrok": "network", "PID": "pid", "net": "", "nonsense": "", "": "",
		"SCMP_ACT_EROR": "SCMP_ACT_ERRNO", "scmp_act_trap": "SCMP_ACT_TRAP", "SCMP_ACT_NONSENSE": "", "KILL": "CAP_KILL", "chown": "CAP_CHOWN",
		"CAP_SYSADMIN": "CAP_SYS_ADMIN", "CAP_NONSENSE": "", "x": "", "ab": "",
	} {
		if got := Nearest(unknown, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", unknown, got, want)
		}
	}
	if got := Hint("strat", names); got != ` (did you mean "start"?)` {
		t.Errorf("Hint: %s", got)
	}
	if got := Hint("nonsense", names); got != "" {
		t.Errorf("Hint: %s", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ba", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
