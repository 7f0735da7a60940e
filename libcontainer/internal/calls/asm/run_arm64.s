#include "textflag.h"

// func run()
//
// As in run_amd64.s; R19 is the call, R20 the data.
TEXT ·run(SB), NOSPLIT|NOFRAME, $0-0
	MOVD	$0x800000, R20
	MOVD	(R20), R19

next:
	MOVD	0(R19), R8
	MOVD	8(R19), R0
	MOVD	16(R19), R1
	MOVD	24(R19), R2
	MOVD	32(R19), R3
	MOVD	40(R19), R4
	MOVD	48(R19), R5
	CMN	$1, R8
	BEQ	equal
	CMN	$2, R8
	BEQ	set
	CMN	$3, R8
	BEQ	copy
	CMN	$4, R8
	BEQ	await
	CMN	$5, R8
	BEQ	load
	SVC

result:
	CMN	$4095, R0
	BHS	failed
	MOVD	56(R19), R9
	CBZ	R9, follow
	MOVD	R0, (R9)

follow:
	CBZ	R0, zero
	MOVD	72(R19), R19
	B	next

zero:
	MOVD	80(R19), R19
	B	next

failed:
	NEG	R0, R0
	MOVD	64(R19), R9

expect:
	MOVBU	R9, R10
	CBZ	R10, report
	CMP	$0xff, R10
	BEQ	expected
	CMP	R0, R10
	BEQ	expected
	LSR	$8, R9
	B	expect

expected:
	MOVD	88(R19), R19
	B	next

equal:
	MOVBU	(R0), R9
	MOVD	ZR, R0
	CMP	R1, R9
	BEQ	result
	NEG	R2, R0
	B	result

set:
	MOVD	R1, (R0)
	MOVD	ZR, R0
	B	result

copy:
	MOVWU	(R1), R9
	MOVW	R9, (R0)
	MOVD	ZR, R0
	B	result

await:
	YIELD
	LDARW	(R0), R9
	CMP	R1, R9
	BNE	await
	MOVD	ZR, R0
	B	result

load:
	MOVWU	(R0), R0
	B	result

report:
	MOVW	R19, 16(R20)
	MOVW	R0, 20(R20)
	MOVD	$64, R8 // write
	MOVD	8(R20), R0
	ADD	$16, R20, R1
	MOVD	$8, R2
	SVC
	MOVD	$94, R8 // exit_group
	MOVD	$1, R0
	SVC
	MOVD	ZR, R0
	MOVD	R0, (R0) // a seccomp filter doesn't allow even that: a fault ends us
