package sysvipc

// For the tests on a kernel.
var (
	OnThread    = onThread
	MountQueues = mountQueues
	ListQueues  = listQueues
	ParseQueued = parseQueued
)
