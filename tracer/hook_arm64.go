package tracer

func semgetHooks(without string) []hook {
	return []hook{
		{program: ipctraceProgSemgetNativeExit, without: without + "from anyone"},
	}
}

func setnsHooks() []hook {
	const joins = "that threads join namespaces by setns"
	return []hook{
		{program: ipctraceProgSetnsNativeEntry, without: joins},
		{program: ipctraceProgSetnsNativeExit, without: joins},
	}
}
