// Package rpc writes and reads the messages of CRIU's RPC protocol (criu.org/RPC,
// images/rpc.proto), which are protocol buffers.
// The oracle is the generated code of go-criu, tests/oracle/criu.
package rpc

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// The types of requests and answers.
const (
	ReqDump         = 1
	ReqRestore      = 2
	ReqPreDump      = 4
	ReqNotify       = 6
	ReqFeatureCheck = 9
	ReqVersion      = 10
)

// typeNames are the types' names in the protocol.
var typeNames = [...]string{
	ReqDump: "DUMP", ReqRestore: "RESTORE", ReqPreDump: "PRE_DUMP", ReqNotify: "NOTIFY", ReqFeatureCheck: "FEATURE_CHECK",
	ReqVersion: "VERSION",
}

// TypeName is what errors call a type.
func TypeName(kind uint64) string {
	if kind < uint64(len(typeNames)) && typeNames[kind] != "" {
		return typeNames[kind]
	}
	return strconv.FormatUint(kind, 10)
}

// The fields of messages, by their numbers.
const (
	ReqType          = 1
	ReqOpts          = 2
	ReqNotifySuccess = 3
	ReqFeatures      = 5

	respType     = 1
	respSuccess  = 2
	respNotify   = 5
	respErrno    = 7
	respFeatures = 8
	respVersion  = 10

	notifyScript = 1
	notifyPID    = 2

	FeatureMemTrack  = 1
	FeatureLazyPages = 2

	versionMajor    = 1
	versionMinor    = 2
	versionSublevel = 4

	OptImagesDirFD     = 1
	OptPID             = 2
	OptLeaveRunning    = 3
	OptExtUnixSk       = 4
	OptTCPEstablished  = 5
	OptEvasiveDevices  = 6
	OptShellJob        = 7
	OptFileLocks       = 8
	OptLogLevel        = 9
	OptLogFile         = 10
	OptPageServer      = 11 // address 1, port 2
	OptNotifyScripts   = 12
	OptRoot            = 13
	OptParentImg       = 14
	OptTrackMem        = 15
	OptAutoDedup       = 16
	OptWorkDirFD       = 17
	OptLinkRemap       = 18
	OptExtMnt          = 23 // key 1, value 2
	OptManageCgroups   = 24
	OptCgRoot          = 25 // controller 1, path 2
	OptRstSibling      = 26
	OptInheritFD       = 27 // key 1, descriptor 2
	OptCgroupsMode     = 34
	OptExternal        = 37
	OptEmptyNS         = 38
	OptJoinNS          = 39 // kind 1, path 2
	OptFreezeCgroup    = 44
	OptTCPSkipInFlight = 46
	OptLazyPages       = 48
	OptOrphanPtsMaster = 50
	OptConfigFile      = 51
	OptTCPClose        = 52
	OptLSMProfile      = 53
	OptLSMMountContext = 63
)

// Message is a protocol buffer that is being written.
type Message []byte

// The types of fields that occur (protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// Number adds a field that is a number. It isn't inlined, nor is Text: at the places that call them
// that would be 16 KB of binary.
//
//go:noinline
func (m *Message) Number(field int, v uint64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

// Flag adds a field that is true or false.
func (m *Message) Flag(field int, v bool) {
	if v {
		m.Number(field, 1)
	} else {
		m.Number(field, 0)
	}
}

// Text adds a field that is a string.
//
//go:noinline
func (m *Message) Text(field int, text string) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(text)))
	*m = append(*m, text...)
}

// Given adds a string that is not empty.
func (m *Message) Given(field int, text string) {
	if text != "" {
		m.Text(field, text)
	}
}

// Part adds a field that is a message.
func (m *Message) Part(field int, part Message) { m.Text(field, string(part)) }

// Pair adds a field that is a message of two strings.
func (m *Message) Pair(field int, first, second string) {
	var part Message
	part.Text(1, first)
	part.Text(2, second)
	m.Part(field, part)
}

// Inherited names a descriptor.
func (m *Message) Inherited(key string, fd int) {
	var part Message
	part.Text(1, key)
	part.Number(2, uint64(fd))
	m.Part(OptInheritFD, part)
}

var errMalformed = errors.New("criu's answer is not a protocol buffer")

// fields calls visit for each field of a protocol buffer, with its number or its bytes.
func fields(data []byte, visit func(field, number uint64, part []byte) error) error {
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			return errMalformed
		}
		data = data[n:]
		var number uint64
		var part []byte
		switch size := 0; tag & 7 {
		case wireVarint:
			if number, n = binary.Uvarint(data); n <= 0 {
				return errMalformed
			}
			data = data[n:]
		case wireBytes:
			length, n := binary.Uvarint(data)
			if n <= 0 || length > uint64(len(data)-n) {
				return errMalformed
			}
			part, data = data[n:n+int(length)], data[n+int(length):]
		case wireFixed64, wireFixed32:
			if size = 8; tag&7 == wireFixed32 {
				size = 4
			}
			if len(data) < size {
				return errMalformed
			}
			data = data[size:]
		default:
			return errMalformed
		}
		if err := visit(tag>>3, number, part); err != nil {
			return err
		}
	}
	return nil
}

// Response is what the runtime reads of an answer.
type Response struct {
	Kind      uint64
	Success   bool
	Errno     int32
	Script    string // of a notification
	PID       int    // of a notification
	MemTrack  bool   // of the features
	LazyPages bool   // of the features

	major, minor, sublevel int32
}

// Version is CRIU's, 10000 · major + 100 · minor + sublevel.
func (r *Response) Version() int { return 10000*int(r.major) + 100*int(r.minor) + int(r.sublevel) }

// Decode reads an answer. As the protocol wants, unknown fields are skipped, and the last one of
// several counts.
func Decode(data []byte) (*Response, error) {
	r := &Response{}
	err := fields(data, func(field, number uint64, part []byte) error {
		switch field {
		case respType:
			r.Kind = number
		case respSuccess:
			r.Success = number != 0
		case respErrno:
			r.Errno = int32(number) // as it was encoded
		case respNotify:
			return fields(part, r.notification)
		case respFeatures:
			return fields(part, r.feature)
		case respVersion:
			return fields(part, r.versionPart)
		}
		return nil
	})
	return r, err
}

func (r *Response) notification(field, number uint64, part []byte) error {
	switch field {
	case notifyScript:
		r.Script = string(part)
	case notifyPID:
		r.PID = int(int32(number)) // as it was encoded
	}
	return nil
}

func (r *Response) feature(field, number uint64, _ []byte) error {
	switch field {
	case FeatureMemTrack:
		r.MemTrack = number != 0
	case FeatureLazyPages:
		r.LazyPages = number != 0
	}
	return nil
}

func (r *Response) versionPart(field, number uint64, _ []byte) error {
	switch field {
	case versionMajor:
		r.major = int32(number) // as it was encoded
	case versionMinor:
		r.minor = int32(number) // as above
	case versionSublevel:
		r.sublevel = int32(number) // as above
	}
	return nil
}
