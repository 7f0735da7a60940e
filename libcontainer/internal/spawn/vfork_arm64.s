#include "textflag.h"

// func vfork(args, size uintptr) (pid uintptr, errno syscall.Errno)
//
// The return address is in the link register, which the kernel keeps for both.
TEXT ·vfork(SB), NOSPLIT|NOFRAME, $0-32
	MOVD	args+0(FP), R0
	MOVD	size+8(FP), R1
	MOVD	$435, R8 // SYS_clone3
	SVC
	CMN	$4095, R0
	BCC	ok
	NEG	R0, R0
	MOVD	$0, pid+16(FP)
	MOVD	R0, errno+24(FP)
	RET

ok:
	MOVD	R0, pid+16(FP)
	MOVD	$0, errno+24(FP)
	RET
