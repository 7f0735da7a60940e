#include "textflag.h"

// The signals that a fault of our own raises: ILL, TRAP, BUS, FPE, SEGV, SYS.
#define FAULTS 0x800009b0

// handle is as in handler_amd64.s.
TEXT handle<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVD	$FAULTS, R9
	LSR	R0, R9, R9
	TBZ	$0, R9, tell
	CMP	$64, R0 // the shift takes the number modulo 64
	BEQ	tell
	MOVW	8(R1), R10 // si_code: what another process or we ourselves sent is not above 0
	CMPW	$0, R10
	BGT	fault

tell:
	SUB	$16, RSP
	MOVB	R0, 0(RSP)
	MOVW	·pipe(SB), R0
	MOVD	RSP, R1
	MOVD	$1, R2
	MOVD	$64, R8 // write
	SVC
	ADD	$16, RSP
	RET

fault:
	MOVD	·previous(SB), R9
	JMP	(R9)

// func addresses() (handler, restorer uintptr)
//
// The kernel has a place of its own where handlers return to.
TEXT ·addresses(SB), NOSPLIT, $0-16
	MOVD	$handle<>(SB), R0
	MOVD	R0, handler+0(FP)
	MOVD	ZR, restorer+8(FP)
	RET
