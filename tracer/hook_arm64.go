package tracer

func semgetHooks(without string) []hook {
	return []hook{
		{program: ipctraceProgSemgetNativeExit, without: without + "from anyone"},
	}
}
