#include "textflag.h"

// func run()
//
// Makes the calls of a list (package calls, image.go has the layout): the entry of an executable that
// has no stack, no symbol, nothing but the data at 0x800000. R12 is the call, BX the data.
TEXT ·run(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ	$0x800000, BX
	MOVQ	(BX), R12

next:
	MOVQ	0(R12), AX
	MOVQ	8(R12), DI
	MOVQ	16(R12), SI
	MOVQ	24(R12), DX
	MOVQ	32(R12), R10
	MOVQ	40(R12), R8
	MOVQ	48(R12), R9
	CMPQ	AX, $-1
	JEQ	equal
	CMPQ	AX, $-2
	JEQ	set
	CMPQ	AX, $-3
	JEQ	copy
	CMPQ	AX, $-4
	JEQ	await
	CMPQ	AX, $-5
	JEQ	load
	SYSCALL

result:
	CMPQ	AX, $0xfffffffffffff001
	JCC	failed
	MOVQ	56(R12), CX
	TESTQ	CX, CX
	JEQ	follow
	MOVQ	AX, (CX)

follow:
	TESTQ	AX, AX
	JEQ	zero
	MOVQ	72(R12), R12
	JMP	next

zero:
	MOVQ	80(R12), R12
	JMP	next

failed:
	NEGQ	AX
	MOVQ	64(R12), CX

expect:
	MOVBQZX	CX, DX
	TESTQ	DX, DX
	JEQ	report
	CMPQ	DX, $0xff
	JEQ	expected
	CMPQ	DX, AX
	JEQ	expected
	SHRQ	$8, CX
	JMP	expect

expected:
	MOVQ	88(R12), R12
	JMP	next

equal:
	MOVBQZX	(DI), CX
	XORQ	AX, AX
	CMPQ	CX, SI
	JEQ	result
	MOVQ	DX, AX
	NEGQ	AX
	JMP	result

set:
	MOVQ	SI, (DI)
	XORQ	AX, AX
	JMP	result

copy:
	MOVL	(SI), AX
	MOVL	AX, (DI)
	XORQ	AX, AX
	JMP	result

await:
	PAUSE
	MOVL	(DI), AX
	CMPQ	AX, SI
	JNE	await
	XORQ	AX, AX
	JMP	result

load:
	MOVL	(DI), AX
	JMP	result

report:
	MOVL	R12, 16(BX)
	MOVL	AX, 20(BX)
	MOVQ	$1, AX // write
	MOVQ	8(BX), DI
	LEAQ	16(BX), SI
	MOVQ	$8, DX
	SYSCALL
	MOVQ	$231, AX // exit_group
	MOVQ	$1, DI
	SYSCALL
	XORQ	AX, AX
	MOVQ	AX, (AX) // a seccomp filter doesn't allow even that: a fault ends us
