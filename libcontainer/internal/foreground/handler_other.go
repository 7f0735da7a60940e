//go:build !amd64 && !arm64

package foreground

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// catcher has signals go to a channel.
type catcher struct{ c chan os.Signal }

func newCatcher() (*catcher, error) { return &catcher{make(chan os.Signal, buffered)}, nil }

// catch has signal n go to the channel from now on, unless it was ignored and respect says that
// this counts.
func (c *catcher) catch(n unix.Signal, respect bool) {
	if !respect || !signal.Ignored(n) {
		signal.Notify(c.c, n)
	}
}

// stop gives signals the effect back that they had.
func (c *catcher) stop() { signal.Stop(c.c) }

func (c *catcher) close() {}

// wake puts a 0 among the signals.
func (c *catcher) wake() {
	select {
	case c.c <- unix.Signal(0):
	default: // a channel that is full wakes as well
	}
}

// next waits for a signal and returns its number, none if the time, in milliseconds, is over; -1 is
// forever.
func (c *catcher) next(timeout int, buf []byte) []byte {
	var over <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(time.Duration(timeout) * time.Millisecond)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case n := <-c.c:
		return append(buf[:0], byte(n.(unix.Signal)))
	case <-over:
		return nil
	}
}
