// Command demo walks a real container through its life, and shows each command and what it printed.
//
//	demo RUNTIME
//
// It needs no image and no network: the root filesystem is made on the spot, and the one program in
// it is this program (guest.go). As root it makes an ordinary container; as a user a rootless one,
// in a user namespace.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if strings.HasPrefix(filepath.Base(os.Args[0]), guestName) {
		guest(os.Args[1:])
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo RUNTIME")
		os.Exit(2)
	}
	w, err := newWalk(os.Args[1])
	if err == nil {
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
		go func() {
			<-interrupted
			w.cleanUp()
			os.Exit(130)
		}()
		err = w.all()
		w.cleanUp()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// walk is one demonstration: a runtime, a bundle, and where its container's output goes.
type walk struct {
	runtime  string
	dir      string // everything lies here
	bundle   string
	rootless bool
	out      *os.File // the container's stdout and stderr
	printed  chan struct{}
}

func newWalk(runtime string) (*walk, error) {
	runtime, err := filepath.Abs(runtime)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "oci-run-demo-")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "bundle"), 0o755); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w := &walk{
		runtime: runtime, dir: dir, bundle: filepath.Join(dir, "bundle"), rootless: os.Geteuid() != 0,
		out: write, printed: make(chan struct{}),
	}
	go func() {
		defer close(w.printed)
		relay(read)
	}()
	return w, nil
}

// relay shows what the container writes, line by line, so that it can be told from what the runtime
// writes.
func relay(from io.Reader) {
	var line []byte
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		line = append(line, buffer[:n]...)
		for {
			end := bytes.IndexByte(line, '\n')
			if end < 0 {
				break
			}
			fmt.Printf("    container | %s\n", line[:end])
			line = line[end+1:]
		}
		if err != nil {
			return
		}
	}
}

// say prints a paragraph between the commands.
func say(format string, a ...any) { fmt.Printf("\n# "+format+"\n", a...) }

// call shows a command, runs it and shows what it printed. The container's output goes its own way.
func (w *walk) call(args ...string) error {
	fmt.Printf("$ oci-run %s\n", strings.Join(args, " "))
	cmd := exec.Command(w.runtime, append([]string{"--root", filepath.Join(w.dir, "state")}, args...)...)
	cmd.Dir = w.bundle
	// Files, not pipes: a container that outlives the command keeps them, and waiting for their end
	// would wait for it.
	text, err := os.CreateTemp(w.dir, "output-")
	if err != nil {
		return err
	}
	defer os.Remove(text.Name())
	defer text.Close()
	cmd.Stdout, cmd.Stderr = text, text
	if args[0] == "create" || args[0] == "run" {
		cmd.Stdout = w.out
	}
	err = cmd.Run()
	output, _ := os.ReadFile(text.Name())
	for line := range strings.Lines(string(output)) {
		fmt.Println("    " + strings.TrimSuffix(line, "\n"))
	}
	if err != nil {
		err = fmt.Errorf("oci-run %s: %w", args[0], err)
	}
	return err
}

// refused is call for a command that has to fail; its exit status is shown.
func (w *walk) refused(args ...string) error {
	err := w.call(args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("oci-run %s was to be refused: %w", args[0], err)
	}
	fmt.Printf("    (exit status %d)\n", exit.ExitCode())
	return nil
}

// makeRootfs writes a root filesystem with one program in it.
func (w *walk) makeRootfs() error {
	rootfs := filepath.Join(w.bundle, "rootfs")
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(rootfs, "bin", guestName), text, 0o755)
}

// edit changes the bundle's config.json: what a user does in an editor.
func (w *walk) edit(change func(process map[string]any)) error {
	name := filepath.Join(w.bundle, "config.json")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	process, ok := config["process"].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no process in it", name)
	}
	change(process)
	if text, err = json.MarshalIndent(config, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// cleanUp removes all that was made, whatever state it is in.
func (w *walk) cleanUp() {
	for _, id := range []string{"demo", "demo-broken"} {
		cmd := exec.Command(w.runtime, "--root", filepath.Join(w.dir, "state"), "delete", "--force", id)
		_ = cmd.Run() // most often there is nothing left to delete
	}
	w.out.Close()
	<-w.printed
	if err := os.RemoveAll(w.dir); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
}
