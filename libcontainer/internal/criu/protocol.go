package criu

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// CRIU's RPC protocol (criu.org/RPC, images/rpc.proto) is written in protocol buffers. Of these it
// takes so little that it is written and read by hand here. With generated code comes
// google.golang.org/protobuf, whose packages and message types register themselves at the start of
// each command, whether it has to do with CRIU or not.

// The types of requests and answers.
const (
	reqDump         = 1
	reqRestore      = 2
	reqPreDump      = 4
	reqNotify       = 6
	reqFeatureCheck = 9
	reqVersion      = 10
)

// typeNames are what errors call the types.
var typeNames = [...]string{
	reqDump: "DUMP", reqRestore: "RESTORE", reqPreDump: "PRE_DUMP", reqNotify: "NOTIFY", reqFeatureCheck: "FEATURE_CHECK",
	reqVersion: "VERSION",
}

func typeName(kind uint64) string {
	if kind < uint64(len(typeNames)) && typeNames[kind] != "" {
		return typeNames[kind]
	}
	return strconv.FormatUint(kind, 10)
}

// The fields of messages, by their numbers.
const (
	reqType          = 1
	reqOpts          = 2
	reqNotifySuccess = 3
	reqFeatures      = 5

	respType     = 1
	respSuccess  = 2
	respNotify   = 5
	respErrno    = 7
	respFeatures = 8
	respVersion  = 10

	notifyScript = 1
	notifyPID    = 2

	featureMemTrack  = 1
	featureLazyPages = 2

	versionMajor    = 1
	versionMinor    = 2
	versionSublevel = 4

	optImagesDirFD     = 1
	optPID             = 2
	optLeaveRunning    = 3
	optExtUnixSk       = 4
	optTCPEstablished  = 5
	optEvasiveDevices  = 6
	optShellJob        = 7
	optFileLocks       = 8
	optLogLevel        = 9
	optLogFile         = 10
	optPageServer      = 11 // address 1, port 2
	optNotifyScripts   = 12
	optRoot            = 13
	optParentImg       = 14
	optTrackMem        = 15
	optAutoDedup       = 16
	optWorkDirFD       = 17
	optLinkRemap       = 18
	optExtMnt          = 23 // key 1, value 2
	optManageCgroups   = 24
	optCgRoot          = 25 // controller 1, path 2
	optRstSibling      = 26
	optInheritFD       = 27 // key 1, descriptor 2
	optCgroupsMode     = 34
	optExternal        = 37
	optEmptyNS         = 38
	optJoinNS          = 39 // kind 1, path 2
	optFreezeCgroup    = 44
	optTCPSkipInFlight = 46
	optLazyPages       = 48
	optOrphanPtsMaster = 50
	optConfigFile      = 51
	optTCPClose        = 52
	optLSMProfile      = 53
	optLSMMountContext = 63
)

// message is a protocol buffer that is being written.
type message []byte

// The types of fields that occur (protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (m *message) number(field int, v uint64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|wireVarint)
	*m = binary.AppendUvarint(*m, v)
}

func (m *message) flag(field int, v bool) {
	if v {
		m.number(field, 1)
	} else {
		m.number(field, 0)
	}
}

func (m *message) text(field int, text string) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|wireBytes)
	*m = binary.AppendUvarint(*m, uint64(len(text)))
	*m = append(*m, text...)
}

// given is text, if there is any.
func (m *message) given(field int, text string) {
	if text != "" {
		m.text(field, text)
	}
}

func (m *message) part(field int, part message) { m.text(field, string(part)) }

// pair is a part of two texts.
func (m *message) pair(field int, first, second string) {
	var part message
	part.text(1, first)
	part.text(2, second)
	m.part(field, part)
}

// inherited names a descriptor.
func (m *message) inherited(key string, fd int) {
	var part message
	part.text(1, key)
	part.number(2, uint64(fd))
	m.part(optInheritFD, part)
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

// response is what is read of an answer.
type response struct {
	kind      uint64
	success   bool
	errno     int32
	script    string // of a notification
	pid       int
	memTrack  bool
	lazyPages bool
	version   int // 10000 · major + 100 · minor + sublevel
}

func decode(data []byte) (*response, error) {
	r := &response{}
	err := fields(data, func(field, number uint64, part []byte) error {
		switch field {
		case respType:
			r.kind = number
		case respSuccess:
			r.success = number != 0
		case respErrno:
			r.errno = int32(number) // as it was encoded
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

func (r *response) notification(field, number uint64, part []byte) error {
	switch field {
	case notifyScript:
		r.script = string(part)
	case notifyPID:
		r.pid = int(int32(number)) // as it was encoded
	}
	return nil
}

func (r *response) feature(field, number uint64, _ []byte) error {
	switch field {
	case featureMemTrack:
		r.memTrack = number != 0
	case featureLazyPages:
		r.lazyPages = number != 0
	}
	return nil
}

func (r *response) versionPart(field, number uint64, _ []byte) error {
	switch field {
	case versionMajor:
		r.version += 10000 * int(int32(number)) // as it was encoded
	case versionMinor:
		r.version += 100 * int(int32(number)) // as above
	case versionSublevel:
		r.version += int(int32(number)) // as above
	}
	return nil
}
