package sysvipc

// For the tests on a kernel.
var (
	Count       = count
	OnThread    = onThread
	MountQueues = mountQueues
	ListQueues  = listQueues
	ParseQueued = parseQueued
)
