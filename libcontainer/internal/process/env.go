package process

import (
	"slices"
	"strings"
)

// defaultPath is what a program is looked up in if the environment has no PATH; execvp(3) leaves it
// to the system.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// planEnv removes duplicates from env: the last value of a name wins and stands where it stood. An
// empty HOME counts as none.
func (p *Plan) planEnv(env []string) {
	p.NeedHome, p.Path = true, defaultPath
	seen := make(map[string]bool, len(env))
	out := make([]string, 0, len(env)+1)
	for _, entry := range slices.Backward(env) {
		name, value, _ := strings.Cut(entry, "=")
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "PATH":
			p.Path = value
		case "HOME":
			if value == "" {
				continue
			}
			p.NeedHome = false
		}
		out = append(out, entry)
	}
	slices.Reverse(out)
	p.Env = out
}

// ResolveHome completes Env with HOME, unless the config has one: the home directory of the user
// with this uid in the container's /etc/passwd, else "/".
func (p *Plan) ResolveHome(root Root) {
	if !p.NeedHome {
		return
	}
	p.Env = append(p.Env, "HOME="+home(root, p.UID))
	p.NeedHome = false
}
