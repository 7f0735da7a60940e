#include "textflag.h"

// The signals that a fault of our own raises: ILL, TRAP, BUS, FPE, SEGV, SYS.
#define FAULTS 0x800009b0

// handle writes the number of a signal to the pipe, sigaction(2) with SA_SIGINFO. It runs on
// any thread, in the midst of anything, and so touches nothing of Go's. A fault is for the
// handler that was there before.
TEXT handle<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVL	$FAULTS, AX
	BTL	DI, AX
	JCC	tell
	CMPL	8(SI), $0 // si_code: what another process or we ourselves sent is not above 0
	JGT	fault

tell:
	SUBQ	$8, SP
	MOVB	DI, 0(SP)
	MOVL	·pipe(SB), DI
	MOVQ	SP, SI
	MOVL	$1, DX
	MOVL	$1, AX // write
	SYSCALL
	ADDQ	$8, SP
	RET

fault:
	MOVQ	·previous(SB), AX
	JMP	AX

// restore is where handle returns to.
TEXT restore<>(SB), NOSPLIT|NOFRAME|TOPFRAME, $0-0
	MOVL	$15, AX // rt_sigreturn
	SYSCALL
	INT	$3

// func addresses() (handler, restorer uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-16
	LEAQ	handle<>(SB), AX
	MOVQ	AX, handler+0(FP)
	LEAQ	restore<>(SB), AX
	MOVQ	AX, restorer+8(FP)
	RET
