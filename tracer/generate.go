package tracer

// The bindings and both objects come from ../bpf. The compiler is pinned, so
// that generating again gives the same bytes.
//go:generate go tool bpf2go -go-package tracer -output-stem ipctrace -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type event -type counters -type selector -type kind -type verdict -type abi -type entry -type dimension ipctrace ../bpf/ipctrace.bpf.c -- -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -O2 -mcpu=v3
