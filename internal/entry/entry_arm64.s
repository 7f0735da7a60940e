#include "textflag.h"

#define FCNTL 25
#define F_GETFD 1
#define PRLIMIT64 261
#define RLIMIT_NOFILE 7

// entry is where the kernel enters the program: argc, argv, NULL, envp, NULL and the auxiliary
// vector are on the stack, whose pointer is a multiple of 16 whenever it is used.
TEXT ·entry(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVD	$2, R9

open:
	MOVD	$FCNTL, R8
	MOVD	R9, R0
	MOVD	$F_GETFD, R1
	SVC
	TBNZ	$63, R0, environment // the runtime is going to open /dev/null
	SUBS	$1, R9
	BGE	open

	MOVD	$PRLIMIT64, R8
	MOVD	$0, R0
	MOVD	$RLIMIT_NOFILE, R1
	MOVD	$0, R2
	MOVD	$·limit(SB), R3
	SVC
	CBNZ	R0, environment
	MOVD	·limit+0(SB), R4
	CBZ	R4, environment
	MOVD	·limit+8(SB), R4
	MOVD	R4, ·nofiles+8(SB)
	MOVD	$0, R0
	MOVD	$RLIMIT_NOFILE, R1
	MOVD	$·nofiles(SB), R2
	MOVD	$0, R3
	SVC
	CBNZ	R0, environment
	MOVD	$1, R4
	MOVB	R4, ·lowered(SB)

environment:
	MOVD	0(RSP), R0
	MOVD	RSP, R1
	ADD	$2, R0, R2
	ADD	R2<<3, R1, R3 // envp
	MOVD	$0x4f525058414d4f47, R4 // "GOMAXPRO"
	MOVD	$0x3d5343, R5 // "CS="

look:
	MOVD.P	8(R3), R6
	CBZ	R6, add
	MOVD	(R6), R7 // behind the last string are the program's name and 8 bytes of zeros
	CMP	R4, R7
	BNE	look
	MOVWU	8(R6), R7
	AND	$0xffffff, R7
	CMP	R5, R7
	BNE	look
	JMP	_rt0_arm64_linux(SB)

add: // argc, argv and NULL move down by two words, into which the string goes twice
	SUB	$16, RSP
	MOVD	RSP, R3

move:
	MOVD.P	8(R1), R6
	MOVD.P	R6, 8(R3)
	SUBS	$1, R2
	BNE	move
	MOVD	$·setting(SB), R6
	MOVD.P	R6, 8(R3)
	MOVD	R6, (R3)
	MOVD	$1, R6
	MOVB	R6, ·added(SB)
	JMP	_rt0_arm64_linux(SB)

// restore gives the limit back. It may be raised as far as the hard one.
TEXT ·restore(SB), NOSPLIT, $0
	MOVD	$PRLIMIT64, R8
	MOVD	$0, R0
	MOVD	$RLIMIT_NOFILE, R1
	MOVD	$·limit(SB), R2
	MOVD	$0, R3
	SVC
	RET
