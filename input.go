package main

import (
	"os"

	"oci-run/internal/log"
	"oci-run/specconv"
)

// readInput decodes a document that the user names, or the one on standard input, into an empty
// value. at is its pointer in a config.json.
func readInput(path, at string, stdin *os.File, value any) (*specconv.Document, error) {
	d, warnings, err := specconv.ReadDocument(path, at, stdin, value)
	for _, w := range warnings {
		log.Warn(w)
	}
	return d, err
}
