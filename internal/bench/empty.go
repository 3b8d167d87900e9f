package main

import (
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// emptyHook is a program that does nothing at the exit of every system call: what
// any tracer there costs at least.
type emptyHook struct{ program *ebpf.Program }

func loadEmptyHook() (*emptyHook, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_exit", License: "Dual MIT/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load an empty program: %w", err)
	}
	return &emptyHook{program}, nil
}

// attach attaches it until what it returns is closed.
func (h *emptyHook) attach() (io.Closer, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: h.program})
	if err != nil {
		return nil, fmt.Errorf("attach an empty program: %w", err)
	}
	return l, nil
}

// Close unloads it.
func (h *emptyHook) Close() { h.program.Close() }
