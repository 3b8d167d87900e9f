package privilege

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/capability"
)

// Report says what holds after [Drop], as the kernel tells it of every thread.
type Report struct {
	UID, GID   int
	Kept       []capability.Cap // that can be used
	NoNewPrivs bool
	Seccomp    bool
	Landlock   bool
	Lacks      []string // what could not be done, and why
}

// Means is something that [Drop] confines this process with, if the kernel has it. Its
// field names are those of doctor --json.
type Means struct {
	Name  string `json:"name"`
	There bool   `json:"there"`
	Use   string `json:"for"`
}

// Kernel is what this kernel has of them.
func Kernel() []Means {
	return []Means{
		{"Landlock", landlockVersion() > 0, "serve writes nowhere but where its outputs are; only without looks, as others cannot be seen into from under it"},
		{"seccomp", haveFilters(), "serve is refused system calls that it never makes"},
	}
}

// lack notes what could not be done.
func (r *Report) lack(what string, err error) {
	if err != nil {
		r.Lacks = append(r.Lacks, fmt.Sprintf("%s: %v", what, err))
	}
}

// String is one line for people.
func (r Report) String() string {
	words := []string{fmt.Sprintf("user %d", r.UID), "capabilities " + Names(r.Kept)}
	for _, w := range []struct {
		holds bool
		name  string
	}{{r.NoNewPrivs, "no_new_privs"}, {r.Seccomp, "seccomp"}, {r.Landlock, "Landlock"}} {
		if w.holds {
			words = append(words, w.name)
		}
	}
	return strings.Join(append(words, r.Lacks...), ", ")
}

// errThreads: the runtime makes no thread that has more rights than the others, so
// that is a fault of this package.
var errThreads = errors.New("threads differ in their rights")

// look reads what holds. A thread that is about to end is not reached any more, and
// runs nothing of this program.
func (r *Report) look() error {
	const patience = 200
	for range patience {
		s, err := threads()
		if err == nil {
			return r.take(s)
		}
		if !errors.Is(err, errThreads) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errThreads
}

// threads is what is the same for all of them.
func threads() (state, error) {
	names, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return state{}, err
	}
	var all []state
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil { // else it has ended
			all = append(all, parse(string(text)))
		}
	}
	if len(all) == 0 {
		return state{}, errors.New("see what holds: no /proc")
	}
	for _, s := range all {
		if s != all[0] {
			return s, errThreads
		}
	}
	return all[0], nil
}

// state is what /proc/PID/status says of a thread.
type state struct{ uid, gid, groups, effective, permitted, inheritable, bounding, ambient, noNewPrivs, seccomp string }

func parse(status string) (s state) {
	fields := map[string]*string{
		"Uid": &s.uid, "Gid": &s.gid, "Groups": &s.groups,
		"CapEff": &s.effective, "CapPrm": &s.permitted, "CapInh": &s.inheritable, "CapBnd": &s.bounding, "CapAmb": &s.ambient,
		"NoNewPrivs": &s.noNewPrivs, "Seccomp": &s.seccomp,
	}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if field := fields[name]; field != nil {
			*field = strings.TrimSpace(value)
		}
	}
	return s
}

func (r *Report) take(s state) error {
	uid, _, _ := strings.Cut(s.uid, "\t")
	gid, _, _ := strings.Cut(s.gid, "\t")
	var err1, err2, err3 error
	r.UID, err1 = strconv.Atoi(uid)
	r.GID, err2 = strconv.Atoi(gid)
	effective, err3 := strconv.ParseUint(s.effective, 16, 64)
	for c := capability.Cap(0); c < 64; c++ {
		if effective&(1<<c) != 0 {
			r.Kept = append(r.Kept, c)
		}
	}
	r.NoNewPrivs, r.Seccomp = s.noNewPrivs == "1", s.seccomp == "2"
	return errors.Join(err1, err2, err3)
}
