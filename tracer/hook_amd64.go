package tracer

func semgetHooks(without string) []hook {
	return []hook{
		{
			program: ipctraceProgSemgetNativeExit, instead: ipctraceProgSemgetNativeEntry,
			without: without + "from 64-bit and x32 callers",
		},
		{
			program: ipctraceProgSemgetCompatExit, instead: ipctraceProgSemgetCompatEntry,
			without: without + "from 32-bit callers",
		},
		{program: ipctraceProgSemgetIpcExit, without: without + "through ipc(2)"},
	}
}

const joins = "that threads join namespaces by setns: "

func setnsHooks() []hook {
	return []hook{
		{program: ipctraceProgSetnsNativeEntry, without: joins + "64-bit and x32 callers"},
		{program: ipctraceProgSetnsNativeExit, without: joins + "64-bit and x32 callers"},
		{program: ipctraceProgSetnsCompatEntry, without: joins + "32-bit callers"},
		{program: ipctraceProgSetnsCompatExit, without: joins + "32-bit callers"},
	}
}
