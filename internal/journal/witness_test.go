package journal_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/journal"
	"golang.org/x/sys/unix"
)

// TestWitnessHangs: one that never answers holds up nobody, and ends with the
// record.
func TestWitnessHangs(t *testing.T) {
	release := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	reader, err := unix.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	must(t, err)
	defer unix.Close(reader)
	closed := make(chan error)
	names := []string{server.URL, "|sleep 1000", fifo}
	for _, name := range names {
		var told warnings
		w, err := journal.NewWitness(name, told.add)
		must(t, err)
		long := []byte(strings.Repeat("x", 1<<20) + "\n") // more than a pipe holds
		for range 100 {
			w.Tell(long)
		}
		go func() { closed <- w.Close() }()
	}
	for range names {
		select {
		case err := <-closed:
			if err == nil || !strings.Contains(err.Error(), "does not have the last seal") {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("it does not end")
		}
	}
}

// TestWitnessAgain: what it could not be told it is told when it is back, the
// newest alone.
func TestWitnessAgain(t *testing.T) {
	got := make(chan string, 10)
	back := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(back) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		text := new(strings.Builder)
		_ = r.Write(text)
		got <- text.String()
	}))
	defer server.Close()
	var told warnings
	w, err := journal.NewWitness(server.URL, told.add)
	must(t, err)
	w.Tell([]byte("first\n"))
	await(t, func() bool { return len(told.all()) == 1 })
	w.Tell([]byte("second\n"))
	back <- true
	must(t, w.Close())
	if text := <-got; !strings.Contains(text, "second") || len(got) != 0 {
		t.Errorf("%q", text)
	}
	if text := told.all(); len(text) != 2 || !strings.Contains(text[0], "503 Service Unavailable") {
		t.Errorf("%q", text)
	}
}

// TestWitnessReads: a command that has ended has the seals that it has read.
func TestWitnessReads(t *testing.T) {
	for command, want := range map[string]string{
		"|true": "without reading", "|sleep 0.1": "without reading", "|head -c 3 >/dev/null; cat >/dev/null": "", "|cat >/dev/null": "",
	} {
		var told warnings
		w, err := journal.NewWitness(command, told.add)
		must(t, err)
		w.Tell([]byte("a seal\n"))
		time.Sleep(300 * time.Millisecond)
		err = w.Close()
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error()+strings.Join(told.all(), ""), want) {
			t.Errorf("%s: %v, %q", command, err, told.all())
		}
	}
}

// TestWitnessTorn: where a disk has taken half a seal, the next is a line of its own.
func TestWitnessTorn(t *testing.T) {
	const room = 64 << 10
	dir := disk(t, room)
	file, ballast := filepath.Join(dir, "seals"), filepath.Join(dir, "ballast")
	w, err := journal.NewWitness(file, func(string) {})
	must(t, err)
	w.Tell([]byte("first\n"))
	await(t, func() bool { return len(read(t, file)) > 0 })
	_ = os.WriteFile(ballast, make([]byte, room), 0o600)
	long := strings.Repeat("x", 6000) // more than what is left of its page
	w.Tell([]byte(long + "\n"))
	await(t, func() bool { return len(read(t, file)) > 1000 })
	must(t, os.Remove(ballast))
	w.Tell([]byte("last\n"))
	must(t, w.Close())
	lines := strings.Split(string(read(t, file)), "\n")
	if n := len(lines); lines[0] != "first" || lines[n-2] != "last" || lines[n-1] != "" || !strings.HasPrefix(long, lines[1]) {
		t.Errorf("%.40q", lines)
	}
}

// TestWitnessOfOthers: a file that others can alter is none.
func TestWitnessOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seals")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Chmod(file, 0o666))
	for name, want := range map[string]string{file: "chmod go-w", "ftp://host/file": "http:// or https://"} {
		if _, err := journal.NewWitness(name, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
