// Package linux is the seam to the kernel. It has the system calls that golang.org/x/sys lacks or
// that have to be repeated (openat2, the mount API, memfd_create), the Linux version that each call
// came with, for errors, and what stands in for a call that a sandbox refuses. There is no policy
// in it: the caller decides what is opened and what an error means.
package linux
