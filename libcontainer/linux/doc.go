// Package linux has the system calls that golang.org/x/sys lacks, or that need care with
// interrupts: one function, one system call, no policy.
package linux
