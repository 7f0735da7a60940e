package main

import (
	"debug/elf"
	_ "embed" // the plain configuration
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed config.json
var plainConfig []byte

// busybox is the program that the containers run, if it is static.
const busybox = "/bin/busybox"

// makeBundle writes a bundle that runs args on a root filesystem made on the spot. from is a
// config.json, or "".
func makeBundle(dir, from string, args ...string) error {
	if err := makeRootfs(filepath.Join(dir, "rootfs")); err != nil {
		return err
	}
	text := plainConfig
	if from != "" {
		var err error
		if text, err = os.ReadFile(from); err != nil {
			return err
		}
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	adapt(config, args)
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644)
}

// adapt makes a captured configuration run here: another root, other args, no hooks, no source that
// is gone.
func adapt(config map[string]any, args []string) {
	process, _ := config["process"].(map[string]any)
	if process == nil {
		process = map[string]any{"user": map[string]any{"uid": 0, "gid": 0}}
		config["process"] = process
	}
	process["args"], process["cwd"], process["terminal"] = args, "/", false
	delete(process, "consoleSize")
	readonly := false
	if old, ok := config["root"].(map[string]any); ok {
		readonly, _ = old["readonly"].(bool)
	}
	config["root"] = map[string]any{"path": "rootfs", "readonly": readonly}
	delete(config, "hooks")
	if linux, ok := config["linux"].(map[string]any); ok {
		delete(linux, "cgroupsPath")
	}
	if mounts, ok := config["mounts"].([]any); ok {
		config["mounts"] = keepPresent(mounts)
	}
}

// keepPresent drops the bind mounts whose source doesn't exist on this machine.
func keepPresent(mounts []any) []any {
	kept := []any{}
	for _, m := range mounts {
		mount, _ := m.(map[string]any)
		source, _ := mount["source"].(string)
		if kind, _ := mount["type"].(string); kind == "bind" {
			if _, err := os.Stat(source); err != nil {
				continue
			}
		}
		kept = append(kept, m)
	}
	return kept
}

func makeRootfs(rootfs string) error {
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			return err
		}
	}
	program := busybox
	if !isStatic(program) {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		program = self
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(rootfs, "bin/program"), text, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"true", "sleep"} {
		if err := os.Symlink("program", filepath.Join(rootfs, "bin", name)); err != nil {
			return err
		}
	}
	return nil
}

// isStatic tells if a program needs no loader and no library, so that it runs in an empty root
// filesystem.
func isStatic(name string) bool {
	file, err := elf.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}
