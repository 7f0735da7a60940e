#include "textflag.h"

#define FCNTL 72
#define F_GETFD 1
#define PRLIMIT64 302
#define RLIMIT_NOFILE 7

// entry is where the kernel enters the program: argc, argv, NULL, envp, NULL and the auxiliary
// vector are on the stack (System V ABI, AMD64 supplement, 3.4.1). The registers are anything.
TEXT ·entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVL	$2, DI

open:
	MOVL	$FCNTL, AX
	MOVL	$F_GETFD, SI
	SYSCALL
	TESTQ	AX, AX
	JLT	environment // the runtime is going to open /dev/null
	SUBL	$1, DI
	JGE	open

	MOVL	$PRLIMIT64, AX
	XORL	DI, DI
	MOVL	$RLIMIT_NOFILE, SI
	XORL	DX, DX
	LEAQ	·limit(SB), R10
	SYSCALL
	TESTQ	AX, AX
	JNE	environment
	MOVQ	·limit+0(SB), AX
	TESTQ	AX, AX
	JEQ	environment
	MOVQ	·limit+8(SB), AX
	MOVQ	AX, ·nofiles+8(SB)
	MOVL	$PRLIMIT64, AX
	LEAQ	·nofiles(SB), DX
	XORL	R10, R10
	SYSCALL
	TESTQ	AX, AX
	JNE	environment
	MOVB	$1, ·lowered(SB)

environment:
	MOVQ	0(SP), CX
	LEAQ	16(SP)(CX*8), SI // envp
	MOVQ	$0x4f525058414d4f47, R8 // "GOMAXPRO"

look:
	MOVQ	(SI), DI
	ADDQ	$8, SI
	TESTQ	DI, DI
	JEQ	add
	CMPQ	R8, (DI) // behind the last string are the program's name and 8 bytes of zeros
	JNE	look
	MOVL	8(DI), AX
	ANDL	$0xffffff, AX
	CMPL	AX, $0x3d5343 // "CS="
	JNE	look
	JMP	_rt0_amd64_linux(SB)

add: // argc, argv and NULL move down, and leave a place in front of envp
	MOVQ	SP, SI
	SUBQ	$8, SP
	MOVQ	SP, DI
	ADDQ	$2, CX
	CLD
	REP; MOVSQ
	LEAQ	·setting(SB), AX
	MOVQ	AX, (DI)
	MOVB	$1, ·added(SB)
	JMP	_rt0_amd64_linux(SB)

// restore gives the limit back. It may be raised as far as the hard one.
TEXT ·restore(SB), NOSPLIT, $0
	MOVL	$PRLIMIT64, AX
	XORL	DI, DI
	MOVL	$RLIMIT_NOFILE, SI
	LEAQ	·limit(SB), DX
	XORL	R10, R10
	SYSCALL
	RET
