package tracer

// The bindings and the objects come from ../bpf. The compiler is pinned, so
// that generating again gives the same bytes.
//go:generate go tool bpf2go -go-package tracer -output-stem ipctrace -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type event -type mq_event -type counters -type selector -type process -type cgroup_made -type kind -type action -type cause -type abi -type dimension ipctrace ../bpf/ipctrace.bpf.c -- -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -O2 -mcpu=v3
//go:generate go tool bpf2go -go-package tracer -output-stem tasks -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -type task -type descriptor tasks ../bpf/tasks.bpf.c -- -Wall -Wextra -Werror -Wpadded -Wno-unused-parameter -O2 -mcpu=v3
