package syncpipe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"oci-run/libcontainer/internal/syncpipe/wire"
)

// Parent is the end of the command that started init.
type Parent struct {
	end
	waiting int // the pid that came with Ready, or 0

	// Watch is called now and then while the other end says nothing, if it isn't nil, and ends the
	// wait with its error.
	Watch func() error
}

// Waiting is the process of an exec that waits for the commit, once Serve has returned.
func (p *Parent) Waiting() (pid int, err error) {
	if p.waiting == 0 {
		return 0, errors.New("receive Ready: no pid")
	}
	return p.waiting, nil
}

// Handler is what the parent does when init asks.
type Handler interface {
	// MountFD prepares the source of the mount with the given index.
	MountFD(index int) (*os.File, error)
	// Hooks runs the prestart and createRuntime hooks.
	Hooks() error
	// Limits sets init's resource limits.
	Limits() error
	// Log records a message of init; level is that of internal/log.
	Log(level int, text string)
}

// Serve answers init until it is ready. It returns a *Failure if init could not do what
// was asked, and ErrClosed if init is gone.
func (p *Parent) Serve(h Handler) error {
	for {
		if p.Watch != nil {
			if err := Listen(p.f, p.Watch); err != nil {
				return err
			}
		}
		m, err := p.receive()
		if err != nil {
			return err
		}
		closeAll(m.files) // init sends none
		switch m.kind {
		case mountFD:
			err = p.serveMount(h, m.payload)
		case hooks:
			err = h.Hooks()
			if err == nil {
				err = p.send(hooks, nil)
			}
		case limits:
			err = h.Limits()
			if err == nil {
				err = p.send(limits, nil)
			}
		case logged:
			err = serveLog(h, m.payload)
		case traced:
			err = p.relay(m.payload)
		case ready:
			if pid, n := binary.Varint(m.payload); n > 0 {
				p.waiting = int(pid)
			}
			return nil
		case failed:
			f := &Failure{}
			if err := wire.Unmarshal(m.payload, f); err != nil {
				return fmt.Errorf("receive Failed: %w", err)
			}
			return f
		default:
			err = fmt.Errorf("receive: %v from init", m.kind)
		}
		if err != nil {
			return err
		}
	}
}

func (p *Parent) serveMount(h Handler, payload []byte) error {
	index, n := binary.Varint(payload)
	if n <= 0 {
		return fmt.Errorf("receive MountFD: no index")
	}
	f, err := h.MountFD(int(index))
	if err != nil {
		return err
	}
	defer f.Close()
	return p.send(mountFD, nil, f)
}

func serveLog(h Handler, payload []byte) error {
	var l logEntry
	if err := wire.Unmarshal(payload, &l); err != nil {
		return fmt.Errorf("receive Log: %w", err)
	}
	h.Log(l.Level, l.Text)
	return nil
}

// Committed tells init that the container's record is on disk: from now on it lives on
// without us.
func (p *Parent) Committed() error { return p.send(committed, nil) }
