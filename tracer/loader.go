package tracer

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// loader loads and attaches hooks, attempt after attempt. What the attempts share is
// made once: to parse the object, and to clear the pages of the ring buffer, takes
// longer than to be told that a hook is refused.
type loader struct {
	types *btf.Cache
	spec  *ebpf.CollectionSpec

	making  sync.WaitGroup // of the rest
	maps    *ebpf.Collection
	ring    *ring
	cgroups *ring
	mapless error // why there are none, so that no hook loads
}

// newLoader decodes the kernel's BTF and makes the rest meanwhile, which takes about
// as long. Errors as of kernelTypes. To be closed.
func newLoader(cfg Config) (*loader, error) {
	l := &loader{}
	parsed := make(chan error, 1)
	l.making.Go(func() {
		err := l.parse(cfg)
		parsed <- err
		if err == nil {
			l.mapless = l.makeMaps()
		}
	})
	types, err := kernelTypes()
	if faulty := <-parsed; err == nil {
		err = faulty
	}
	if err != nil {
		l.close()
		return nil, err
	}
	l.types = types
	return l, nil
}

func (l *loader) parse(cfg Config) error {
	var err error
	if l.spec, err = loadIpctrace(); err != nil {
		return err
	}
	// The kernel takes no types of a ring buffer (map_check_btf in kernel/bpf/syscall.c),
	// but says so only when it has cleared all its pages.
	for _, name := range []string{ipctraceMapEvents, ipctraceMapCgroups} {
		l.spec.Maps[name].Key, l.spec.Maps[name].Value = nil, nil
	}
	return cfg.apply(l.spec)
}

func (l *loader) makeMaps() (err error) {
	if l.maps, err = ebpf.NewCollection(only(l.spec)); err != nil {
		return err
	}
	if l.ring, err = mapRing(l.maps.Maps[ipctraceMapEvents]); err != nil {
		return err
	}
	l.cgroups, err = mapRing(l.maps.Maps[ipctraceMapCgroups])
	return err
}

// close frees what no tracer has taken over.
func (l *loader) close() {
	l.making.Wait()
	for _, r := range []*ring{l.ring, l.cgroups} {
		if r != nil {
			_ = r.close()
		}
	}
	if l.maps != nil {
		l.maps.Close()
	}
}

// only is a spec with no more programs than these.
func only(spec *ebpf.CollectionSpec, programs ...string) *ebpf.CollectionSpec {
	some := *spec
	some.Programs = make(map[string]*ebpf.ProgramSpec, len(programs))
	for _, name := range programs {
		some.Programs[name] = spec.Programs[name]
	}
	return &some
}

// present splits hooks into those whose function this kernel has, by the program
// that fits, and what is missed without the others.
func (l *loader) present(hooks []hook) (have []hook, gaps []string) {
	kernel, err := l.types.Kernel()
	if err != nil {
		return hooks, nil // loading will say it better
	}
	for _, h := range hooks {
		program := l.spec.Programs[h.program]
		err := find(kernel, program)
		switch {
		case errors.Is(err, btf.ErrNotFound) && h.without != "":
			gaps = append(gaps, fmt.Sprintf("%s: this kernel has no %s", h.without, program.AttachTo))
			continue
		case errors.Is(err, btf.ErrMultipleMatches) && h.instead != "":
			h.program = h.instead
		}
		have = append(have, h)
	}
	return have, gaps
}

// loadAll loads hooks, up to the first that does not load.
func (l *loader) loadAll(hooks []hook) (*ebpf.Collection, error) {
	coll := &ebpf.Collection{Programs: make(map[string]*ebpf.Program, len(hooks))}
	for _, h := range hooks {
		program, err := l.load(h.program)
		if err != nil {
			coll.Close()
			return nil, err
		}
		coll.Programs[h.program] = program
	}
	return coll, nil
}

func (l *loader) load(program string) (*ebpf.Program, error) {
	l.making.Wait()
	if l.mapless != nil {
		return nil, l.mapless
	}
	spec := only(l.spec, program)
	spec.Variables = nil // they are in the maps
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: l.types, MapReplacements: l.maps.Maps})
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	return coll.DetachProgram(program), nil
}

func (l *loader) attach(program *ebpf.Program, h hook) (link.Link, error) {
	to := l.spec.Programs[h.program].AttachTo
	var attached link.Link
	var err error
	if program.Type() == ebpf.Kprobe {
		attached, err = link.Kprobe(to, program, nil)
	} else {
		attached, err = link.AttachTracing(link.TracingOptions{Program: program})
	}
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", to, err)
	}
	return attached, nil
}

// introduce tells the programs who user space is.
func (l *loader) introduce() error {
	program, err := l.load(ipctraceProgIntroduce)
	if err == nil {
		defer program.Close()
		_, err = program.Run(&ebpf.RunOptions{})
	}
	if err != nil {
		return fmt.Errorf("introduce this program: %w", err)
	}
	return nil
}

var sides = map[ebpf.AttachType]string{ebpf.AttachTraceFEntry: "entry", ebpf.AttachTraceFExit: "exit"}

// try attaches a hook and detaches it again.
func (l *loader) try(h hook) (function, at string, err error) {
	program := l.spec.Programs[h.program]
	return program.AttachTo, sides[program.AttachType], l.attempt(h)
}

func (l *loader) attempt(h hook) error {
	have, _ := l.present([]hook{h})
	if len(have) == 0 {
		return errors.New("this kernel does not have it")
	}
	program, err := l.load(have[0].program)
	if err != nil {
		return reason(err)
	}
	defer program.Close()
	attached, err := l.attach(program, have[0])
	if err != nil {
		return reason(err)
	}
	return attached.Close()
}
