package main

import (
	"context"
	"fmt"
	"math/bits"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// filters are the flags that say which events are meant, and the keys of serve's
// configuration.
type filters struct {
	Kinds      []string `yaml:"kind"`
	Events     []string `yaml:"event"`
	Namespaces []string `yaml:"ns"`
	NoHost     bool     `yaml:"no_host"`
	PIDs       []string `yaml:"pid"`
	UIDs       []string `yaml:"uid"`
	Comms      []string `yaml:"comm"`
	Containers []string `yaml:"container"`
}

// addPlaces are those for a command that says itself whose calls are meant; the
// places are what --ns takes.
func (s *filters) addPlaces(f *pflag.FlagSet, places string) {
	f.StringSliceVar(&s.Kinds, "kind", nil, "only these kinds of object: `msg,shm,sem,mq`")
	f.StringSliceVar(&s.Namespaces, "ns", nil, "only these IPC namespaces: `"+places+"`")
	f.BoolVar(&s.NoHost, "no-host", false, "all IPC namespaces but the initial one")
}

func (s *filters) addCalls(f *pflag.FlagSet) {
	f.StringSliceVar(&s.Events, "event", nil, "only these `EVENT`s: create, open, get, fail, mark, remove, found, namespace.create, … (docs/events.md)")
	f.StringSliceVar(&s.PIDs, "pid", nil, "only these processes (`PID` on the host)")
	f.StringSliceVar(&s.UIDs, "uid", nil, "only calls by these users (`UID` or name)")
	f.StringSliceVar(&s.Comms, "comm", nil, "only calls by threads of this `NAME`")
	f.StringSliceVar(&s.Containers, "container", nil, "only calls from these containers (`ID` or its beginning)")
}

// complete refuses filters that were given and hold nothing: --pid "$(pidof x)"
// must not trace everything because there is no x.
func (s *filters) complete(given func(flag string) bool) error {
	for _, f := range []struct {
		name   string
		values []string
	}{
		{"kind", s.Kinds}, {"event", s.Events}, {"ns", s.Namespaces}, {"pid", s.PIDs},
		{"uid", s.UIDs}, {"comm", s.Comms}, {"container", s.Containers},
	} {
		if given(f.name) && (len(f.values) == 0 || slices.Contains(f.values, "")) {
			return refused(f.name, ": no value")
		}
	}
	return nil
}

// maxComm is how much of a name the kernel keeps: TASK_COMM_LEN less its NUL.
const maxComm = 15

// filter is all of them; place reads what --ns takes.
func (s *filters) filter(place func(string) (stream.Place, error)) (stream.Filter, error) {
	f := stream.Filter{Kinds: s.Kinds, Containers: s.Containers}
	var errs [5]error
	_, errs[0] = eachOf("kind", s.Kinds, parseKind)
	f.Events, errs[1] = eachOf("event", s.Events, event.ParseType)
	f.Namespaces, errs[2] = eachOf("ns", s.Namespaces, place)
	f.PIDs, errs[3] = eachOf("pid", s.PIDs, parsePID)
	f.UIDs, errs[4] = eachOf("uid", s.UIDs, parseUID)
	for _, err := range errs {
		if err != nil {
			return f, err
		}
	}
	for _, c := range s.Comms {
		f.Comms = append(f.Comms, c[:min(len(c), maxComm)])
	}
	if s.NoHost {
		f.Except = nsresolve.InitialInode
	}
	return f, nil
}

// selection is the flags that say what to trace, and for how long.
type selection struct {
	filters

	hooks    string
	buffer   string
	engines  container.Sockets
	duration time.Duration
	count    uint64
}

func (s *selection) add(f *pflag.FlagSet) {
	s.addPlaces(f)
	s.addCalls(f)
	f.DurationVar(&s.duration, "duration", 0, "end after this `TIME` (10s, 5m)")
	f.Uint64Var(&s.count, "count", 0, "end after `N` events, besides those of what was there; what is found out at once is told to the last")
}

func (s *selection) addPlaces(f *pflag.FlagSet) {
	s.filters.addPlaces(f, "INODE|self|host|pid:N")
	addHooks(f, &s.hooks, &s.buffer)
	addEngines(f, &s.engines)
}

func addHooks(f *pflag.FlagSet, hooks, buffer *string) {
	f.StringVar(hooks, "hooks", tracer.Auto.String(), "hooks to use: `auto|fentry|syscall`")
	f.StringVar(buffer, "buffer", "", "`SIZE` of the ring buffer that the kernel writes into, from 64K to 1G; the default goes by the CPUs that it may use, from 8M to 64M")
}

// within ends a context after --duration, or by what it returns.
func (s *selection) within(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.duration > 0 {
		timeout := time.AfterFunc(s.duration, func() { cancel(errDuration) })
		context.AfterFunc(ctx, func() { timeout.Stop() })
	}
	return ctx, cancel
}

// maxFilters is how long the filters may be in all, in bytes: trace.start tells
// them, and a line has room for so many.
const maxFilters = 64 << 10

// config is what the kernel filters, and all of the selection: the kernel filters
// get calls, and little else.
func (s *selection) config() (c tracer.Config, f stream.Filter, err error) {
	if s.duration < 0 {
		return c, f, refused("duration", " %v: must not be negative", s.duration)
	}
	if c.Tier, err = tracer.ParseTier(s.hooks); err != nil {
		return c, f, refused("hooks", ": %w%s", err, didYouMean(s.hooks, choices["hooks"]))
	}
	if c.RingBytes, err = ringBytes(s.buffer); err != nil {
		return c, f, err
	}
	if err = checkEngines(s.engines); err != nil {
		return c, f, err
	}
	if f, err = s.filter(livePlace); err != nil {
		return c, f, err
	}
	if n := len(strings.Join(s.words(), "")); n > maxFilters {
		return c, f, usagef("the filters are %d bytes long: must be %d or less", n, maxFilters)
	}
	for _, name := range f.Kinds {
		kind, _ := parseKind(name) // it is one
		c.Kinds = append(c.Kinds, kind)
	}
	for _, p := range f.Namespaces {
		c.Namespaces = append(c.Namespaces, uint32(p.Inode))
	}
	c.PIDs, c.UIDs, c.ExceptNamespace = f.PIDs, f.UIDs, uint32(f.Except)
	return c, f, nil
}

// ringBytes is the size of a ring buffer of at least so much: the kernel takes powers
// of two. 0: the default.
func ringBytes(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	const least = 64 << 10
	n, err := units.RAMInBytes(text)
	switch {
	case err != nil:
		return 0, refused("buffer", " %q: not a size: 16M, 256M", text)
	case n < least || n > tracer.MaxRingBytes:
		return 0, refused("buffer", " %s: must be from 64K to 1G", text)
	}
	return 1 << bits.Len(uint(n-1)), nil
}

// words are the filters as they are told in trace.start.
func (s *filters) words() []string {
	words := []string{}
	add := func(flag string, values ...string) {
		if len(values) > 0 {
			words = append(words, flag+"="+strings.Join(values, ","))
		}
	}
	add("--kind", s.Kinds...)
	add("--event", s.Events...)
	add("--ns", s.Namespaces...)
	add("--pid", s.PIDs...)
	add("--uid", s.UIDs...)
	add("--comm", s.Comms...)
	add("--container", s.Containers...)
	if s.NoHost {
		words = append(words, "--no-host")
	}
	return words
}

func each[T any](values []string, parse func(string) (T, error)) ([]T, error) {
	var parsed []T
	for _, v := range values {
		p, err := parse(v)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	return parsed, nil
}

// eachOf is each, of the values of a flag.
func eachOf[T any](flag string, values []string, parse func(string) (T, error)) ([]T, error) {
	return each(values, func(value string) (T, error) {
		parsed, err := parse(value)
		if err != nil {
			return parsed, refused(flag, ": %w%s", err, didYouMean(value, choices[flag]))
		}
		return parsed, nil
	})
}

func parseKind(s string) (tracer.Kind, error) {
	for _, k := range []tracer.Kind{tracer.Msg, tracer.Shm, tracer.Sem, tracer.MQ} {
		if s == k.String() {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown kind %q: msg, shm, sem or mq", s)
}

func parsePID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a process number", s)
	}
	return uint32(n), nil
}

func parseUID(s string) (uint32, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(s)
	if err != nil {
		return 0, fmt.Errorf("no user %q", s)
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err
}

// parseNamespace takes an inode number or a word for one.
func parseNamespace(s string) (uint32, error) {
	switch pid, isPID := strings.CutPrefix(s, "pid:"); {
	case s == "host":
		return nsresolve.InitialInode, nil
	case s == "self":
		return namespaceOf("self")
	case isPID:
		n, err := parsePID(pid)
		if err != nil {
			return 0, err
		}
		return namespaceOf(strconv.FormatUint(uint64(n), 10))
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a namespace: an inode number, self, host or pid:N", s)
	}
	return uint32(n), nil
}

func livePlace(s string) (stream.Place, error) {
	inode, err := parseNamespace(s)
	return stream.Place{Inode: uint64(inode)}, err
}

// loggedPlace takes what a log can tell.
func loggedPlace(s string) (stream.Place, error) {
	if s == "host" {
		return stream.Place{Inode: nsresolve.InitialInode}, nil
	}
	if s == "self" || strings.HasPrefix(s, "pid:") {
		return stream.Place{}, fmt.Errorf("%q is of a system that runs, not of a log: name the inode number", s)
	}
	inode, gen, dotted := strings.Cut(s, ".")
	var p stream.Place
	n, err := strconv.ParseUint(inode, 10, 64)
	g, genErr := strconv.ParseUint(gen, 10, 32)
	if err != nil || n == 0 || dotted && (genErr != nil || g == 0) {
		return p, fmt.Errorf("%q is not a namespace: an inode number, INODE.GEN or host", s)
	}
	return stream.Place{Inode: n, Gen: uint32(g)}, nil
}

func namespaceOf(process string) (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/"+process+"/ns/ipc", &st); err != nil {
		return 0, fmt.Errorf("namespace of process %s: %w", process, err)
	}
	return uint32(st.Ino), nil
}

// output is the flags that say how to show it.
type output struct {
	format string
	json   bool
}

func (o *output) add(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", "text", "what to write: `text|json`")
	f.BoolVar(&o.json, "json", false, "the same as -o json")
}

// addScreen is for a command that has a terminal show a screen, unless it is told what
// to write.
func (o *output) addScreen(f *pflag.FlagSet) {
	o.add(f)
	format := f.Lookup("output")
	format.DefValue, format.Usage = "", "what to write: `text|json`; without it a terminal shows the screen, all else is text"
	o.format = ""
}

// isJSON is the answer of both flags.
func (o *output) isJSON() (bool, error) {
	switch o.format {
	case "", "text":
		return o.json, nil
	case "json":
		return true, nil
	}
	return false, refused("output", ": unknown format %q: text or json%s", o.format, didYouMean(o.format, choices["output"]))
}

// colored: on a terminal that can, unless somebody said no (no-color.org).
func colored(f *pflag.FlagSet, out any) bool {
	no, _ := f.GetBool("no-color")
	file, ok := out.(*os.File)
	return ok && !no && os.Getenv("NO_COLOR") == "" && isTerminal(file)
}

// isTerminal: a terminal that understands more than text.
func isTerminal(f *os.File) bool { return anyTerminal(f) && os.Getenv("TERM") != "dumb" }

func anyTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
