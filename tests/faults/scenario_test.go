package faults

import (
	"os"
	"slices"
)

// scenario is a command that is tried with each fault.
type scenario struct {
	name    string   // "" for the verb
	verb    string   // the command
	before  []string // verbs that come first, without a fault
	args    []string // of the verb, before the ID
	more    []string // behind it
	program []string
	want    string   // the status after a success; "" for no container
	says    string   // what a success prints
	lacks   string   // a program that it is not to find, and so fails without a fault too
	where   []string // the configurations in which it is tried
	core    []string // the suites in which it is tried in `make test` too
}

func (s *scenario) String() string {
	if s.name != "" {
		return s.name
	}
	return s.verb
}

var (
	sleeps     = []string{"/bin/sleep", "1000"}
	running    = []string{"create", "start"}
	everywhere = []string{"plain", "hooks", "user namespace", "rootless", "terminal", "everything", "v1", "v2"}
	withGroups = []string{"plain", "v1", "v2"} // whose cgroups differ
	limited    = []string{"plain", "v1"}       // v2 has no controllers where v1 has them
	simple     = []string{"plain"}
	both       = []string{"Faults", "Deaths"}
	noTerminal = slices.DeleteFunc(slices.Clone(everywhere), func(s string) bool { return s == "terminal" })
)

var scenarios = []scenario{
	{verb: "create", program: sleeps, want: "created", where: everywhere, core: both},
	{verb: "start", before: []string{"create"}, program: sleeps, want: "running", where: everywhere, core: []string{"Faults"}},
	{verb: "run", program: []string{"/bin/echo", "done"}, says: "done\n", where: noTerminal, core: []string{"Faults"}},
	{verb: "exec", before: running, more: []string{"/bin/echo", "done"}, program: sleeps, want: "running", says: "done\n",
		where: noTerminal, core: both},
	{name: "exec --tty", verb: "exec", before: running, args: []string{"--detach", "--tty", "--console-socket", consoleName},
		more: sleeps, program: sleeps, want: "running", where: []string{"terminal"}},
	{verb: "delete", before: []string{"create"}, program: sleeps, where: everywhere, core: []string{"Faults"}},
	{name: "delete --force", verb: "delete", before: running, args: []string{"--force"}, program: sleeps, where: everywhere},
	{verb: "kill", before: running, more: []string{"KILL"}, program: sleeps, want: "stopped", where: everywhere, core: []string{"Faults"}},
	{name: "kill --all", verb: "kill", before: running, args: []string{"--all"}, more: []string{"KILL"}, program: sleeps, want: "stopped",
		where: withGroups},
	{verb: "pause", before: running, program: sleeps, want: "paused", where: withGroups, core: []string{"Faults"}},
	{verb: "resume", before: append(running[:2:2], "pause"), program: sleeps, want: "running", where: withGroups, core: []string{"Faults"}},
	{verb: "update", before: running, args: []string{"--pids-limit", "77", "--memory", "64M", "--cpu-share", "512"}, program: sleeps,
		want: "running", where: limited, core: []string{"Faults"}},
	{verb: "checkpoint", before: running, args: []string{"--image-path", "images"}, program: sleeps, want: "running", lacks: "criu",
		where: simple},
	{verb: "state", before: running, program: sleeps, want: "running", says: `"running"`, where: simple},
	{verb: "ps", before: running, program: sleeps, want: "running", says: "sleep", where: simple},
	{verb: "events", before: running, args: []string{"--stats"}, program: sleeps, want: "running", says: "pids", where: limited},
}

// configuration is what a scenario's container is like.
type configuration struct {
	name   string
	view   string                 // of the cgroups: "v1", "v2", "" for the machine's own
	user   uint32                 // who runs the commands; 0 for root
	create []string               // what create and run are given before the ID
	change func(c *document)      // of config.json
	made   func(m *machine) error // what it needs beside that
}

var configurations = []configuration{
	{name: "plain"},
	{name: "hooks", change: addHooks},
	{name: "user namespace", change: addUserNamespace, made: func(m *machine) error { return m.give("rootfs", firstID) }},
	{name: "rootless", user: userID(), made: func(m *machine) error { return m.give(".", int(userID())) }},
	{name: "terminal", create: []string{"--console-socket", consoleName}, change: func(c *document) { c.process()["terminal"] = true }},
	{name: "everything", change: addEverything, made: makeSources},
	{name: "v1", view: "v1"},
	{name: "v2", view: "v2"},
}

// firstID is the host's ID of a container's root in the user namespaces of these tests.
const firstID = 100000

// document is a config.json.
type document struct {
	all map[string]any
	dir string // of the bundle
}

func (c *document) process() map[string]any { return c.all["process"].(map[string]any) }
func (c *document) linux() map[string]any   { return c.all["linux"].(map[string]any) }

func (c *document) mount(destination, kind, source string, options ...string) map[string]any {
	m := map[string]any{"destination": destination, "type": kind, "source": source, "options": options}
	c.all["mounts"] = append(c.all["mounts"].([]any), m)
	return m
}

func addHooks(c *document) {
	all := map[string]any{}
	for _, name := range []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"} {
		all[name] = []any{map[string]any{"path": "/bin/true"}}
	}
	c.all["hooks"] = all
}

func addUserNamespace(c *document) {
	l := c.linux()
	l["namespaces"] = append(l["namespaces"].([]any), map[string]any{"type": "user"})
	l["uidMappings"], l["gidMappings"] = mapping(), mapping()
}

func mapping() []any {
	return []any{map[string]any{"containerID": 0, "hostID": firstID, "size": 65536}}
}

// addEverything adds a mount of each kind, and what else a create does on demand.
func addEverything(c *document) {
	c.mount("/file", "bind", c.dir+"/source/file", "bind", "ro", "nosuid")
	c.mount("/tree", "bind", c.dir+"/source", "rbind", "rslave", "rro")
	c.mount("/mapped", "bind", c.dir+"/source", "bind", "idmap")["uidMappings"] = mapping()
	c.all["mounts"].([]any)[len(c.all["mounts"].([]any))-1].(map[string]any)["gidMappings"] = mapping()
	c.mount("/copied", "tmpfs", "tmpfs", "tmpcopyup", "size=1m")
	c.mount("/over", "overlay", "overlay", "lowerdir="+c.dir+"/source,upperdir="+c.dir+"/upper,workdir="+c.dir+"/work,uuid=null")
	l := c.linux()
	l["sysctl"] = map[string]any{"net.ipv4.ip_forward": "1"}
	l["rootfsPropagation"] = "slave"
	l["resources"].(map[string]any)["pids"] = map[string]any{"limit": 50}
	l["resources"].(map[string]any)["memory"] = map[string]any{"limit": 64 << 20}
	l["resources"].(map[string]any)["cpu"] = map[string]any{"shares": 512}
	l["devices"] = []any{map[string]any{"path": "/dev/some", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600}}
	l["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": []any{map[string]any{"names": []string{"swapon"}, "action": "SCMP_ACT_ERRNO"}}}
	p := c.process()
	p["oomScoreAdj"], p["noNewPrivileges"] = 500, true
	p["user"] = map[string]any{"uid": 7, "gid": 8, "umask": 0o27, "additionalGids": []int{9}}
	p["ioPriority"] = map[string]any{"class": "IOPRIO_CLASS_BE", "priority": 6}
	p["scheduler"] = map[string]any{"policy": "SCHED_BATCH", "nice": 3}
	c.all["domainname"] = "example"
}

// makeSources makes what the mounts of addEverything are of.
func makeSources(m *machine) error {
	for _, d := range []string{"source/sub", "upper", "work", "rootfs/copied/sub"} {
		if err := os.MkdirAll(m.dir+"/"+d, 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"source/file", "rootfs/copied/file"} {
		if err := os.WriteFile(m.dir+"/"+f, []byte("content\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}
