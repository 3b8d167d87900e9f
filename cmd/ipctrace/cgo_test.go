//go:build cgo

package main

// usesCgo: the race detector needs it, and rights then stay. See dropRights.
const usesCgo = true
