package criu

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	theirs "github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/google/go-cmp/cmp"

	"oci-run/libcontainer/internal/criu/rpc"
)

// written are the options that the runtime gives CRIU.
var written = []int{
	rpc.OptImagesDirFD, rpc.OptPID, rpc.OptLeaveRunning, rpc.OptExtUnixSk, rpc.OptTCPEstablished, rpc.OptEvasiveDevices, rpc.OptShellJob,
	rpc.OptFileLocks, rpc.OptLogLevel, rpc.OptLogFile, rpc.OptPageServer, rpc.OptNotifyScripts, rpc.OptRoot, rpc.OptParentImg, rpc.OptTrackMem,
	rpc.OptAutoDedup, rpc.OptWorkDirFD, rpc.OptLinkRemap, rpc.OptExtMnt, rpc.OptManageCgroups, rpc.OptCgRoot, rpc.OptRstSibling, rpc.OptInheritFD,
	rpc.OptCgroupsMode, rpc.OptExternal, rpc.OptEmptyNS, rpc.OptJoinNS, rpc.OptFreezeCgroup, rpc.OptTCPSkipInFlight, rpc.OptLazyPages,
	rpc.OptOrphanPtsMaster, rpc.OptConfigFile, rpc.OptTCPClose, rpc.OptLSMProfile, rpc.OptLSMMountContext,
}

// fieldOf is the field of a structure of theirs that has a number in the protocol.
func fieldOf(message reflect.Value, number int) reflect.Value {
	for i := range message.NumField() {
		parts := strings.Split(message.Type().Field(i).Tag.Get("protobuf"), ",")
		if len(parts) > 1 && parts[1] == strconv.Itoa(number) {
			return message.Field(i)
		}
	}
	return reflect.Value{}
}

func text(r *rand.Rand) string { return strings.Repeat(string(rune(r.IntN(0xd000))), r.IntN(200)) }

// write writes a random value to a field of both.
func write(t *testing.T, r *rand.Rand, m *rpc.Message, number int, field reflect.Value) {
	switch field.Interface().(type) {
	case *bool:
		v := r.IntN(2) == 0
		m.Flag(number, v)
		field.Set(reflect.ValueOf(&v))
	case *string:
		v := text(r)
		m.Text(number, v)
		field.Set(reflect.ValueOf(&v))
	case []string:
		v := text(r)
		m.Text(number, v)
		field.Set(reflect.Append(field, reflect.ValueOf(v)))
	case *int32, *uint32, *theirs.CriuCgMode:
		v := int64(int32(r.Uint32()))
		m.Number(number, uint64(v))
		field.Set(reflect.New(field.Type().Elem()))
		if field.Elem().CanInt() {
			field.Elem().SetInt(v)
		} else {
			field.Elem().SetUint(uint64(uint32(v)))
		}
	case []*theirs.InheritFd:
		key, fd := text(r), int32(r.Uint32()>>1)
		m.Inherited(key, int(fd))
		field.Set(reflect.Append(field, reflect.ValueOf(&theirs.InheritFd{Key: &key, Fd: &fd})))
	case *theirs.CriuPageServerInfo:
		address, port := text(r), int32(r.Uint32()>>1)
		var part rpc.Message
		part.Text(1, address)
		part.Number(2, uint64(port))
		m.Part(number, part)
		field.Set(reflect.ValueOf(&theirs.CriuPageServerInfo{Address: &address, Port: &port}))
	default: // a list of pairs
		first, second := text(r), text(r)
		m.Pair(number, first, second)
		pair := reflect.New(field.Type().Elem().Elem())
		fieldOf(pair.Elem(), 1).Set(reflect.ValueOf(&first))
		fieldOf(pair.Elem(), 2).Set(reflect.ValueOf(&second))
		field.Set(reflect.Append(field, pair))
	}
}

// Theirs reads what ours writes, whatever the values, and finds nothing that it doesn't know.
func TestTheirsReadsOurs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var opts, m rpc.Message
		fd, kind := int32(7), theirs.CriuReqType_DUMP
		want := &theirs.CriuReq{Type: &kind, Opts: &theirs.CriuOpts{ImagesDirFd: &fd}}
		opts.Number(rpc.OptImagesDirFD, 7) // theirs wants it
		for range r.IntN(12) {
			number := written[r.IntN(len(written))]
			field := fieldOf(reflect.ValueOf(want.Opts).Elem(), number)
			if !field.IsValid() {
				t.Fatalf("theirs has no option %d", number)
			}
			if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct && !field.IsNil() {
				continue // two would be merged
			}
			write(t, r, &opts, number, field)
		}
		m.Number(rpc.ReqType, rpc.ReqDump)
		m.Part(rpc.ReqOpts, opts)
		got := &theirs.CriuReq{}
		if err := got.UnmarshalVT(m); err != nil {
			t.Fatalf("%q: %v", m, err)
		}
		if !got.EqualVT(want) {
			t.Fatalf("%s", cmp.Diff(want.String(), got.String()))
		}
	}
}

// answerOfTheirs is a random answer, with all that CRIU may say.
func answerOfTheirs(r *rand.Rand) *theirs.CriuResp {
	kinds := []theirs.CriuReqType{0, rpc.ReqDump, rpc.ReqRestore, rpc.ReqPreDump, rpc.ReqNotify, rpc.ReqFeatureCheck, rpc.ReqVersion, 11}
	flag := func() *bool { v := r.IntN(2) == 0; return &v }
	number := func() *int32 { v := int32(r.Uint32()) >> r.IntN(32); return &v }
	word := func() *string { v := text(r); return &v }
	a := &theirs.CriuResp{Type: &kinds[r.IntN(len(kinds))], Success: flag()}
	for _, add := range []func(){
		func() { a.CrErrno = number() },
		func() { a.CrErrmsg = word() },
		func() { a.Status = number() },
		func() { a.Dump = &theirs.CriuDumpResp{Restored: flag()} },
		func() { a.Restore = &theirs.CriuRestoreResp{Pid: number()} },
		func() { a.Ps = &theirs.CriuPageServerInfo{Pid: number(), Address: word()} },
		func() { a.Notify = &theirs.CriuNotify{Script: word(), Pid: number()} },
		func() { a.Features = &theirs.CriuFeatures{MemTrack: flag(), LazyPages: flag(), PidfdStore: flag()} },
		func() {
			a.Version = &theirs.CriuVersion{MajorNumber: number(), MinorNumber: number(), Sublevel: number(), Gitid: word(), Name: word()}
		},
	} {
		if r.IntN(2) == 0 {
			add()
		}
	}
	return a
}

// compare holds what both have read of an answer against each other.
func compare(t *testing.T, raw []byte, ours *rpc.Response, a *theirs.CriuResp) {
	t.Helper()
	v := a.GetVersion()
	type answer struct {
		Kind                         int32
		Success, MemTrack, LazyPages bool
		Errno                        int32
		Script                       string
		PID                          int32
		Version                      int
	}
	want := answer{
		int32(a.GetType()), a.GetSuccess(), a.GetFeatures().GetMemTrack(), a.GetFeatures().GetLazyPages(), a.GetCrErrno(), a.GetNotify().GetScript(),
		a.GetNotify().GetPid(), 10000*int(v.GetMajorNumber()) + 100*int(v.GetMinorNumber()) + int(v.GetSublevel()),
	}
	got := answer{int32(ours.Kind), ours.Success, ours.MemTrack, ours.LazyPages, ours.Errno, ours.Script, int32(ours.PID), ours.Version()}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%q (-theirs +ours):\n%s", raw, d)
	}
}

// Ours reads what theirs writes.
func TestOursReadsTheirs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		want := answerOfTheirs(r)
		raw, err := want.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		got, err := rpc.Decode(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		compare(t, raw, got, want)
	}
}

// FuzzDecode: what theirs takes for an answer, ours takes for the same.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		raw, err := answerOfTheirs(r).MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := &theirs.CriuResp{}
		if want.UnmarshalVT(raw) != nil {
			return // it also wants each field to be of its type, and all that are required
		}
		got, err := rpc.Decode(raw)
		if err != nil {
			t.Fatalf("%q: %v; theirs reads %s", raw, err, want)
		}
		compare(t, raw, got, want)
	})
}
