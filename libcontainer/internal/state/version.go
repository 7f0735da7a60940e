//go:build !nextrecord

package state

// Version is the format of Record that is written. A later format that an older binary can still
// read keeps the number.
const Version = 1
