//go:build race

package initproc

const raceDetector = true
