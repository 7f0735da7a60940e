//go:build amd64 || arm64

#include "textflag.h"

// setting is the string of C's that the environment gets.
DATA ·setting+0(SB)/8, $"GOMAXPRO"
DATA ·setting+8(SB)/4, $"CS=1"
DATA ·setting+12(SB)/1, $0
GLOBL ·setting(SB), RODATA|NOPTR, $13

// The limit of files as it was, and as it is: struct rlimit64, soft and hard.
GLOBL ·limit(SB), NOPTR, $16
GLOBL ·nofiles(SB), NOPTR, $16
