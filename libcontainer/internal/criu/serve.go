package criu

import (
	"errors"
	"fmt"
	"strings"

	"oci-run/internal/files"
	"oci-run/internal/log"
	"oci-run/internal/trace"
	"oci-run/libcontainer/internal/criu/rpc"
)

// quoted is how many error lines of the log an error quotes.
const quoted = 5

// Failure is what CRIU says when it gives up. The text's first two lines are known to engines.
type Failure struct {
	What    string   // "type DUMP errno 1"
	Log     string   // path of the log
	Excerpt []string // its last lines that tell of errors
}

func (f *Failure) Error() string {
	lines := append([]string{"criu failed: " + f.What, "log file: " + f.Log}, f.Excerpt...)
	return strings.Join(lines, "\n")
}

// serve sends a request and answers CRIU's questions until it is done, and waits for its end.
func (w *worker) serve(kind uint64, opts *rpc.Message, a *answerer, log string) error {
	span := trace.Begin("criu " + rpc.TypeName(kind))
	span.SetNumber("pid", w.cmd.Process.Pid)
	err := w.converse(kind, opts, a)
	ended := w.end()
	span.End(err)
	if failure, ok := errors.AsType[*Failure](err); ok {
		failure.Log, failure.Excerpt = log, excerpt(log)
		return failure
	}
	switch {
	case err != nil:
		return err
	case ended != nil && kind != rpc.ReqPreDump: // after which it waits for a dump, in vain
		return &Failure{What: ended.Error(), Log: log, Excerpt: excerpt(log)}
	}
	return nil
}

func (w *worker) converse(kind uint64, opts *rpc.Message, a *answerer) error {
	var request rpc.Message
	request.Number(rpc.ReqType, kind)
	request.Part(rpc.ReqOpts, *opts)
	if err := w.send(request); err != nil {
		return err
	}
	for {
		resp, file, err := w.receive()
		if errors.Is(err, errEnded) {
			return &Failure{What: fmt.Sprintf("type %s: %s", rpc.TypeName(kind), err)}
		}
		if err != nil {
			return err
		}
		if !resp.Success {
			file.Close() // of nil: an error, no panic
			return &Failure{What: fmt.Sprintf("type %s errno %d", rpc.TypeName(resp.Kind), resp.Errno)}
		}
		if resp.Kind != rpc.ReqNotify {
			file.Close()
			return nil
		}
		log.Debug("criu: notify " + resp.Script)
		refused := a.notify(resp, file)
		file.Close()
		var answer rpc.Message
		answer.Number(rpc.ReqType, rpc.ReqNotify)
		answer.Flag(rpc.ReqNotifySuccess, refused == nil)
		if err := w.send(answer); err != nil || refused != nil {
			return errors.Join(refused, err) // it takes back what it has done
		}
	}
}

// excerpt gives the last lines of a log that tell of errors, without the seconds before and the
// trimmings around them. A log that can't be read has none: a configuration file may have put it
// elsewhere.
func excerpt(log string) []string {
	whole, err := files.Read(log)
	if err != nil {
		return nil
	}
	var last []string
	for line := range strings.Lines(string(whole)) {
		_, text, found := strings.Cut(line, "Error (")
		if !found {
			continue
		}
		if last = append(last, "Error ("+strings.TrimSuffix(text, "\n")); len(last) > quoted {
			last = last[1:]
		}
	}
	return last
}
