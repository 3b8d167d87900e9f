package spool_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/export/spool"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// appendInto makes this test binary one that fills a spool, in its environment.
const appendInto = "IPCTRACE_TEST_APPEND_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(appendInto); dir != "" {
		appendUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func appendUntilKilled(dir string) {
	s, err := spool.Open(spool.Config{Dir: dir, Limit: 1 << 30, Warn: func(text string) { fmt.Fprintln(os.Stderr, text) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	from := int(s.Lines())
	fmt.Println(from)
	for n := from; ; n += 7 {
		if _, err := s.Append(texts(n, n+7)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n + 7)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// texts are numbered, of different lengths.
func texts(from, to int) (all [][]byte) {
	for n := from; n < to; n++ {
		all = append(all, fmt.Appendf(nil, `{"n":%d,"x":%q}`, n, strings.Repeat("x", n%97)))
	}
	return all
}

func config(t testing.TB, limit int64) spool.Config {
	return spool.Config{
		Dir: filepath.Join(t.TempDir(), "spool"), Limit: limit,
		Warn: func(text string) { t.Errorf("unexpected: %s", text) },
	}
}

func open(t testing.TB, cfg spool.Config) *spool.Spool {
	t.Helper()
	s, err := spool.Open(cfg)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *spool.Spool, from, to int) {
	t.Helper()
	if n, err := s.Append(texts(from, to)); err != nil || n != to-from {
		t.Fatalf("%d of %d: %v", n, to-from, err)
	}
}

// take takes all there is, some at a time.
func take(t testing.TB, s *spool.Spool, some int) (all [][]byte) {
	t.Helper()
	for {
		got, lost := s.Next(some, 1<<20)
		if lost > 0 {
			t.Fatalf("%d lost", lost)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
		s.Done(len(got))
	}
}

func same(t testing.TB, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%d lines, want %d: first %.40s, want %.40s", len(got), len(want), slices.Concat(got, [][]byte{nil})[0], slices.Concat(want, [][]byte{nil})[0])
	}
}

func files(t testing.TB, cfg spool.Config) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(cfg.Dir, "*.spool"))
	must(t, err)
	return names
}

// TestQueue: what goes in comes out in order, also of many segments, by one who
// opens it anew, and leaves no segment behind.
func TestQueue(t *testing.T) {
	cfg := config(t, 1<<20)
	s := open(t, cfg)
	put(t, s, 0, 3000)
	same(t, take(t, s, 1), texts(0, 3000))
	if s.Lines() != 0 || s.Bytes() != 0 || len(files(t, cfg)) != 0 {
		t.Errorf("left: %d lines, %d bytes, %v", s.Lines(), s.Bytes(), files(t, cfg))
	}
	put(t, s, 3000, 9000)
	got, _ := s.Next(700, 1<<20)
	s.Done(len(got) - 1)
	must(t, s.Close())
	if len(files(t, cfg)) < 3 {
		t.Errorf("%d segments", len(files(t, cfg)))
	}
	left := texts(3000+len(got)-1, 9000)
	s = open(t, cfg)
	if s.Lines() != uint64(len(left)) {
		t.Errorf("%d lines, want %d", s.Lines(), len(left))
	}
	put(t, s, 9000, 9001)
	same(t, take(t, s, 256), append(left, texts(9000, 9001)...))
	if info, err := os.Stat(cfg.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestDoneBeforeNext: lines can be done with that were not read.
func TestDoneBeforeNext(t *testing.T) {
	s := open(t, config(t, 1<<20))
	put(t, s, 0, 2000)
	s.Done(1500)
	same(t, take(t, s, 64), texts(1500, 2000))
}

// TestFull: what finds no room is not taken, and what is there stays.
func TestFull(t *testing.T) {
	cfg := config(t, spool.MinLimit)
	s := open(t, cfg)
	n, err := s.Append(texts(0, 5000))
	if !errors.Is(err, spool.ErrFull) || n == 0 || s.Bytes() > cfg.Limit {
		t.Fatalf("%d, %v, %d bytes", n, err, s.Bytes())
	}
	got := take(t, s, 100)
	same(t, got, texts(0, n))
	put(t, s, n, n+10)
	same(t, take(t, s, 100), texts(n, n+10))
}

func TestOneProgram(t *testing.T) {
	cfg := config(t, 1<<20)
	open(t, cfg)
	if _, err := spool.Open(cfg); err == nil || !strings.Contains(err.Error(), "another ipctrace") {
		t.Errorf("%v", err)
	}
	must(t, os.Chmod(cfg.Dir, 0o750))
	if _, err := spool.Open(cfg); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("%v", err)
	}
}

// TestDamaged: a line that is not as it was written is set aside and counted, those
// before and behind it are not touched.
func TestDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"torn":    func(b []byte) []byte { return b[:len(b)-20] },
		"altered": func(b []byte) []byte { b[bytes.Index(b, []byte(`"n":5,`))+4]++; return b },
		"nul":     func(b []byte) []byte { clear(b[len(b)-30:]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, 1<<20)
			s := open(t, cfg)
			put(t, s, 0, 10)
			must(t, s.Close())
			file := files(t, cfg)[0]
			text, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, damage(text), 0o600))
			var told []string
			cfg.Warn = func(text string) { told = append(told, text) }
			s = open(t, cfg)
			if s.Damaged() != 1 || len(told) != 1 || s.Lines() != 9 {
				t.Fatalf("%d damaged, %d lines: %q", s.Damaged(), s.Lines(), told)
			}
			put(t, s, 10, 12)
			want := slices.Delete(texts(0, 12), 9, 10)
			if name == "altered" {
				want = slices.Delete(texts(0, 12), 5, 6)
			}
			same(t, take(t, s, 4), want)
			if aside, err := os.ReadFile(filepath.Join(cfg.Dir, "damaged")); err != nil || len(aside) == 0 {
				t.Errorf("%q %v", aside, err)
			}
		})
	}
}

// TestLostUnderway: what somebody takes away while it waits is counted.
func TestLostUnderway(t *testing.T) {
	cfg := config(t, 1<<20)
	var told []string
	cfg.Warn = func(text string) { told = append(told, text) }
	s := open(t, cfg)
	put(t, s, 0, 5000)
	all := files(t, cfg)
	must(t, os.Remove(all[1]))
	var got, lost uint64
	for {
		some, gone := s.Next(100, 1<<20)
		lost += gone
		if len(some) == 0 {
			break
		}
		got += uint64(len(some))
		s.Done(len(some))
	}
	if got+lost != 5000 || lost == 0 || len(told) != 1 {
		t.Errorf("%d + %d, %q", got, lost, told)
	}
}

// TestDiskFull: a disk that is full takes what it can, no half a line, and goes on
// when there is room.
func TestDiskFull(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	must(t, unix.Mount("ipctrace-test", dir, "tmpfs", 0, "size=131072,mode=0700"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	cfg := config(t, 1<<30)
	cfg.Dir = filepath.Join(dir, "spool")
	s := open(t, cfg)
	n, err := s.Append(texts(0, 5000))
	if !errors.Is(err, unix.ENOSPC) || n == 0 {
		t.Fatalf("%d %v", n, err)
	}
	for range 50 {
		more, err := s.Append(texts(n, 5000))
		n += more
		if err == nil {
			t.Fatal("taken")
		}
	}
	if len(files(t, cfg)) > 5 {
		t.Errorf("%v", files(t, cfg))
	}
	same(t, take(t, s, 64), texts(0, n))
	put(t, s, n, n+100)
	same(t, take(t, s, 64), texts(n, n+100))
}

// TestKilled: whenever who fills it is killed, what it was told is in the spool is
// there.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	cfg := config(t, 1<<30)
	random := rand.New(rand.NewPCG(1, 2))
	total := 0
	for range 20 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), appendInto+"="+cfg.Dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		stdout := bufio.NewReader(out)
		_, err = stdout.ReadString('\n')
		must(t, err)
		time.AfterFunc(time.Duration(random.IntN(10))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		said, err := io.ReadAll(stdout)
		must(t, err)
		_ = cmd.Wait()
		if words := strings.Fields(string(said)); len(words) > 0 {
			fmt.Sscan(words[len(words)-1], &total)
		}
	}
	cfg.Warn = func(text string) { t.Log(text) }
	got := take(t, open(t, cfg), 1000)
	if len(got) < total || total == 0 {
		t.Fatalf("%d lines of %d", len(got), total)
	}
	same(t, got[:total], texts(0, total))
}

// FuzzSegment: whatever a segment holds, it is opened, and what is read is as it was
// written.
func FuzzSegment(f *testing.F) {
	cfg := config(f, 1<<20)
	s := open(f, cfg)
	put(f, s, 0, 5)
	must(f, s.Close())
	text, err := os.ReadFile(files(f, cfg)[0])
	must(f, err)
	f.Add(text, []byte{})
	f.Add(text[:len(text)-3], []byte("00000000 00000000000000000001 00000000000000000017\n"))
	f.Add([]byte("\n\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, segment, position []byte) {
		cfg := config(t, 1<<20)
		cfg.Warn = func(string) {}
		must(t, os.Mkdir(cfg.Dir, 0o700))
		must(t, os.WriteFile(filepath.Join(cfg.Dir, "00000000000000000000.spool"), segment, 0o600))
		must(t, os.WriteFile(filepath.Join(cfg.Dir, "position"), position, 0o600))
		s := open(t, cfg)
		waiting := s.Lines()
		put(t, s, 0, 2)
		got := take(t, s, 3)
		if uint64(len(got)) != waiting+2 {
			t.Errorf("%d lines, %d + 2 were said to wait", len(got), waiting)
		}
	})
}
