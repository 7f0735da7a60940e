package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// hookList is one of the six lists of hooks.
type hookList struct {
	name string
	list []specs.Hook
}

func hookLists(h *specs.Hooks) [6]hookList {
	return [6]hookList{
		{"prestart", h.Prestart}, // deprecated, but Docker up to 26 uses it
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	}
}

func (c *checker) hooks() error {
	if c.spec.Hooks == nil {
		return nil
	}
	for _, l := range hookLists(c.spec.Hooks) {
		for i := range l.list {
			if err := checkHook(&l.list[i], Pointer("hooks", l.name, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHook: "path MUST be absolute"; "If set, timeout MUST be greater than zero" (config.md).
func checkHook(h *specs.Hook, pointer string) error {
	if h.Path == "" {
		return Field(pointer+"/path", errMissing)
	}
	if err := absolutePath(pointer+"/path", h.Path); err != nil {
		return err
	}
	if h.Timeout != nil && *h.Timeout <= 0 {
		return Fieldf(pointer+"/timeout", "%d is not greater than 0", *h.Timeout)
	}
	for i, arg := range h.Args {
		if err := noNUL(pointer+Pointer("args", i), arg); err != nil {
			return err
		}
	}
	for i, entry := range h.Env {
		if err := checkEnvEntry(entry); err != nil {
			return Field(pointer+Pointer("env", i), err)
		}
	}
	return nil
}
