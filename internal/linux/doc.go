// Package linux is the seam to the kernel. It has the system calls that golang.org/x/sys lacks or
// that have to be repeated (openat2, the mount API, memfd_create), files as package os has them
// but with no system call more than needed, and the Linux version that each call came with, for
// errors. There is no policy in it: who calls decides what is opened and what an error means.
package linux
