package journal_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// TestRecord: what goes in is in the file, numbered without gaps, and sealed.
func TestRecord(t *testing.T) {
	for _, n := range []int{0, 1, 998, 999, 1000, 5000} {
		cfg := config(t)
		record(t, cfg, n)
		all := events(t, cfg.File)
		for i, e := range all {
			if e.Seq != uint64(i+1) {
				t.Fatalf("%d events: line %d has seq %d", n, i+1, e.Seq)
			}
		}
		seals := (n + 2 + 999) / 1000
		if got := []int{len(all), count(all, event.ObjectCreate), count(all, event.TraceSeal)}; !slices.Equal(got, []int{n + 2 + seals, n, seals}) {
			t.Errorf("%d events: %v lines, events, seals", n, got)
		}
		r := whole(t, cfg.File)
		if r.Events != uint64(n) || r.Seals != seals || r.Traces != 1 || !r.Ended || r.Lines != uint64(len(all)) {
			t.Errorf("%+v", r)
		}
		want := *create(n)
		want.V, want.Seq = 1, 0
		if n > 0 {
			got := *all[slices.IndexFunc(all, func(e *event.Event) bool { return e.Object != nil && *e.Object.ID == int32(n) })]
			got.Seq = 0
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		info, err := os.Stat(cfg.File)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
}

// TestRotate: parts follow each other, numbered and chained, and none is missing.
func TestRotate(t *testing.T) {
	for _, test := range []struct {
		compress journal.Compression
		suffix   string
	}{{journal.Plain, ""}, {journal.Gzip, ".gz"}, {journal.Zstd, ".zst"}} {
		cfg := config(t)
		cfg.RotateSize, cfg.Compress = 1<<20, test.compress
		record(t, cfg, 5000)
		parts, err := filepath.Glob(cfg.File + ".*")
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range parts {
			if want := fmt.Sprintf("%s.%06d%s", cfg.File, i+1, test.suffix); name != want {
				t.Errorf("part %d is %s", i+1, name)
			}
		}
		files := append([]string{cfg.File}, parts...) // in a wrong order
		if len(files) != 3 {
			t.Errorf("%d files: %v", len(files), files)
		}
		r := whole(t, files...)
		if r.Events != 5000 || r.After != "" || !r.Ended || r.Traces != 1 {
			t.Errorf("%+v", r)
		}
		all := events(t, append(parts, cfg.File)...)
		for i, e := range all {
			if e.Seq != uint64(i+1) {
				t.Fatalf("line %d has seq %d", i+1, e.Seq)
			}
		}
		if n := count(all, event.TraceStart); n != len(files) {
			t.Errorf("%d trace.start", n)
		}
		// Without its second file, it is not whole; the newest alone is, and says where it begins.
		if r := journal.Verify([]string{parts[0], cfg.File}, journal.Check{}); len(r.Findings) != 1 || r.Findings[0].Fault != journal.Gap {
			t.Errorf("%+v", r.Findings)
		}
		if r := whole(t, cfg.File); r.After == "" || r.Part != 3 {
			t.Errorf("%+v", r)
		}
	}
}

// TestRotateByTime: the clock ends a part too.
func TestRotateByTime(t *testing.T) {
	cfg := config(t)
	cfg.RotateEvery = time.Second
	record(t, cfg, 2500) // of a millisecond each
	parts, _ := filepath.Glob(cfg.File + ".*")
	if len(parts) != 2 {
		t.Errorf("%v", parts)
	}
	whole(t, append(parts, cfg.File)...)
}

// TestKeep: the oldest parts go.
func TestKeep(t *testing.T) {
	cfg := config(t)
	cfg.RotateSize, cfg.Keep = 300<<10, 2
	other := cfg.File + ".000001.mine"
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	record(t, cfg, 5000)
	parts, _ := filepath.Glob(cfg.File + ".*")
	if len(parts) != 3 || parts[0] != other {
		t.Errorf("%v", parts)
	}
	if r := whole(t, append(parts[1:], cfg.File)...); r.After == "" || r.Part < 3 {
		t.Errorf("%+v", r)
	}
}

// TestContinue: the chain runs on over restarts, in the file and behind the last
// part where there is no file.
func TestContinue(t *testing.T) {
	cfg := config(t)
	for range 3 {
		record(t, cfg, 10)
	}
	r := whole(t, cfg.File)
	if r.Traces != 3 || r.Events != 30 || r.Part != 1 {
		t.Errorf("%+v", r)
	}
	if err := os.Rename(cfg.File, cfg.File+".000001"); err != nil {
		t.Fatal(err)
	}
	record(t, cfg, 10)
	if r = whole(t, cfg.File+".000001", cfg.File); r.Traces != 4 || r.Files != 2 {
		t.Errorf("%+v", r)
	}
	last := events(t, cfg.File)[0].Start.Log
	if last.Part != 2 || last.After == "" {
		t.Errorf("%+v", last)
	}
}

// TestContinueRotated: so it does where logrotate has moved the file, and somebody
// was killed before.
func TestContinueRotated(t *testing.T) {
	for _, suffix := range []string{".1", "-20261124", ".1.gz", "-20261124.zst"} {
		var told warnings
		cfg, other := config(t), config(t)
		cfg.Warn = told.add
		record(t, other, 5)
		must(t, os.Rename(other.File, cfg.File+".3"))
		record(t, cfg, 1500) // behind that
		text := read(t, cfg.File)
		must(t, os.Remove(cfg.File))
		moved := cfg.File + suffix
		must(t, os.WriteFile(moved, packed(t, text, filepath.Ext(suffix)), 0o600))
		must(t, os.WriteFile(cfg.File, nil, 0o600)) // logrotate: create
		record(t, cfg, 10)
		if r := whole(t, cfg.File+".3", moved, cfg.File); r.Logs != 1 || r.Events != 1515 {
			t.Errorf("%s: %+v", suffix, r)
		}
		// Without its last seal and half a line: what nobody vouches for is not called whole, and stays.
		must(t, os.Remove(cfg.File))
		text = text[:bytes.LastIndexByte(text[:len(text)-1], '\n')-7]
		must(t, os.WriteFile(moved, packed(t, text, filepath.Ext(suffix)), 0o600))
		record(t, cfg, 10)
		want := []string{"goes on behind trace.jsonl.3", "goes on behind trace.jsonl" + suffix, "nothing vouches for", "goes on behind trace.jsonl" + suffix}
		if all := told.all(); !slices.EqualFunc(all, want, strings.Contains) {
			t.Errorf("%s: %q", suffix, all)
		}
		r := journal.Verify([]string{cfg.File + ".3", moved, cfg.File}, journal.Check{})
		if r.Logs != 1 || slices.ContainsFunc(r.Findings, func(f journal.Finding) bool { return f.Fault != journal.Unsealed }) {
			t.Errorf("%s: %+v", suffix, r)
		}
	}
}

// TestNamesAlike: logs whose names differ by a number are not parts of each other,
// and a file that somebody still records into is none.
func TestNamesAlike(t *testing.T) {
	cfg := config(t)
	base := cfg.File
	for _, suffix := range []string{"-1", "-2", ".1", ""} {
		cfg.File = base + suffix
		record(t, cfg, 3)
		if r := whole(t, cfg.File); r.Logs != 1 || r.Part != 1 {
			t.Errorf("%s: %+v", suffix, r)
		}
	}
	j := begin(t, cfg)
	must(t, os.Rename(base, base+".7"))
	if other, err := journal.Open(cfg); err == nil || !strings.Contains(err.Error(), "still records into") {
		t.Errorf("%v, %v", other, err)
	}
	must(t, j.Close())
}

// packed is text as the suffix of a file says.
func packed(t *testing.T, text []byte, suffix string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch suffix {
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		encoder, err := zstd.NewWriter(&b)
		must(t, err)
		w = encoder
	default:
		return text
	}
	_, err := w.Write(text)
	must(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

// TestRefuses: what is no log, or whose end does not hold, is not written to.
func TestRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, cfg *journal.Config)
		want string
	}{
		{"another file", func(t *testing.T, cfg *journal.Config) {
			must(t, os.WriteFile(cfg.File, []byte("a diary\n"), 0o600))
		}, "not a log"},
		{"another file without a last newline", func(t *testing.T, cfg *journal.Config) {
			must(t, os.WriteFile(cfg.File, []byte("user=root\npassword=x"), 0o600))
		}, "not a log"},
		{"another file without any", func(t *testing.T, cfg *journal.Config) {
			must(t, os.WriteFile(cfg.File, []byte("{\"v\":2}"), 0o600))
		}, "not a log"},
		{"an altered last part", func(t *testing.T, cfg *journal.Config) {
			record(t, *cfg, 100)
			text := read(t, cfg.File)
			text[len(text)/3]++
			must(t, os.WriteFile(cfg.File+".000001", text, 0o600))
			must(t, os.Truncate(cfg.File, 0))
		}, "its end does not hold"},
		{"rotation where others make files", func(t *testing.T, cfg *journal.Config) {
			must(t, os.Chmod(filepath.Dir(cfg.File), 0o777|os.ModeSticky))
			cfg.RotateSize = 1 << 20
		}, "rotate in a directory of your own"},
		{"without a newline", func(t *testing.T, cfg *journal.Config) {
			must(t, os.WriteFile(cfg.File, bytes.Repeat([]byte("x"), 2<<20), 0o600))
		}, "not a log"},
		{"an altered end", func(t *testing.T, cfg *journal.Config) {
			record(t, *cfg, 100)
			text := read(t, cfg.File)
			text[len(text)/2]++
			must(t, os.WriteFile(cfg.File, text, 0o600))
		}, "its end does not hold"},
		{"lines cut out of its end", func(t *testing.T, cfg *journal.Config) {
			record(t, *cfg, 100)
			lines := bytes.SplitAfter(read(t, cfg.File), []byte("\n"))
			must(t, os.WriteFile(cfg.File, bytes.Join(slices.Delete(lines, 50, 51), nil), 0o600))
		}, "its end does not hold"},
		{"a symbolic link", func(t *testing.T, cfg *journal.Config) {
			must(t, os.Symlink("/etc/passwd", cfg.File))
		}, "is a symbolic link"},
		{"a link to nothing", func(t *testing.T, cfg *journal.Config) {
			must(t, os.Symlink(cfg.File+".target", cfg.File))
		}, "is a symbolic link"},
		{"another name", func(t *testing.T, cfg *journal.Config) {
			record(t, *cfg, 1)
			must(t, os.Link(cfg.File, cfg.File+".link"))
		}, "has another name too"},
		{"a directory", func(t *testing.T, cfg *journal.Config) { must(t, os.Mkdir(cfg.File, 0o700)) }, "is a directory"},
		{"no directory", func(t *testing.T, cfg *journal.Config) { cfg.File = filepath.Join(cfg.File, "x") }, "no such file or directory"},
		{"writable by others", func(t *testing.T, cfg *journal.Config) {
			record(t, *cfg, 1)
			must(t, os.Chmod(cfg.File, 0o620))
		}, "chmod go-w"},
		{"a directory that others write to", func(t *testing.T, cfg *journal.Config) {
			must(t, os.Chmod(filepath.Dir(cfg.File), 0o777))
		}, "chmod go-w"},
		{"a directory above that others write to", func(t *testing.T, cfg *journal.Config) {
			dir := filepath.Dir(cfg.File)
			must(t, os.Mkdir(filepath.Join(dir, "own"), 0o700))
			must(t, os.Chmod(dir, 0o777))
			cfg.File = filepath.Join(dir, "own", "trace.jsonl")
		}, "chmod go-w"},
		{"rotation of a file with the longest name", func(t *testing.T, cfg *journal.Config) {
			cfg.File = filepath.Join(filepath.Dir(cfg.File), strings.Repeat("x", 241))
			cfg.RotateSize, cfg.Compress = 1<<20, journal.Zstd
		}, "shorten it by 1"},
		{"rotation of a pipe", func(t *testing.T, cfg *journal.Config) {
			must(t, unix.Mkfifo(cfg.File, 0o600))
			reader, err := unix.Open(cfg.File, unix.O_RDONLY|unix.O_NONBLOCK, 0)
			must(t, err)
			t.Cleanup(func() { must(t, unix.Close(reader)) })
			cfg.RotateSize = 1 << 20
		}, "no regular file"},
		{"the name of another log's part", func(t *testing.T, cfg *journal.Config) {
			cfg.File += ".000001"
		}, "choose another name"},
		{"parts of another log", func(t *testing.T, cfg *journal.Config) {
			other := *cfg
			other.RotateSize, other.Compress = 300<<10, journal.Gzip
			record(t, other, 3000)
			must(t, os.Remove(cfg.File))
			other = config(t)
			record(t, other, 3)
			must(t, os.Rename(other.File, cfg.File))
			cfg.RotateSize, cfg.Keep = 300<<10, 1
		}, ".000001.gz is of another log"},
		{"recorded into already", func(t *testing.T, cfg *journal.Config) {
			j := begin(t, *cfg)
			t.Cleanup(func() { must(t, j.Close()) })
		}, "another ipctrace records"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config(t)
			test.make(t, &cfg)
			before := contents(t, filepath.Dir(cfg.File))
			j, err := journal.Open(cfg)
			if err == nil {
				t.Fatal(j.Close())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Error(err)
			}
			if diff := cmp.Diff(before, contents(t, filepath.Dir(cfg.File))); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
		})
	}
}

// contents are the files of a directory that is there.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		all[e.Name()] = e.Type().String()
		if e.Type().IsRegular() {
			all[e.Name()] += string(read(t, filepath.Join(dir, e.Name())))
		}
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSticky: in a directory like /tmp nobody can replace what is another's.
func TestSticky(t *testing.T) {
	cfg := config(t)
	must(t, os.Chmod(filepath.Dir(cfg.File), 0o777|os.ModeSticky))
	record(t, cfg, 1)
	whole(t, cfg.File)
}

// TestTorn: half a line at the end is kept aside, and said.
func TestTorn(t *testing.T) {
	original := config(t)
	record(t, original, 1500)
	text := read(t, original.File)
	for _, cut := range []int{1, 100, 1000, 100000, len(text) - 100, len(text) - 1} {
		cfg := config(t)
		must(t, os.WriteFile(cfg.File, text[:len(text)-cut], 0o600))
		var told warnings
		again := cfg
		again.Warn = told.add
		record(t, again, 5)
		end := bytes.LastIndexByte(text[:len(text)-cut], '\n') + 1
		half := text[end : len(text)-cut]
		var torn *event.Torn
		for _, e := range events(t, cfg.File) {
			if e.Start != nil && e.Start.Log.Torn != nil {
				torn = e.Start.Log.Torn
			}
		}
		if torn == nil || torn.Bytes != uint64(len(half)) || len(told.all()) != 1 {
			t.Fatalf("cut %d: torn %+v, told %q", cut, torn, told.all())
		}
		if aside := read(t, filepath.Join(filepath.Dir(cfg.File), torn.File)); !bytes.Equal(aside, half) {
			t.Errorf("cut %d: %q is aside, not %q", cut, aside, half)
		}
		r := whole(t, cfg.File)
		left := uint64(bytes.Count(text[:end], []byte(`"object.create"`)))
		if r.Events != left+5 {
			t.Errorf("cut %d: %d events, want %d and 5", cut, r.Events, left)
		}
	}
}

// TestNULs: when power is lost the file may be as long as it was to become, without
// what was to be in it.
func TestNULs(t *testing.T) {
	for _, nuls := range []int{1, 100, 200_000, 3_000_000} {
		for _, half := range []string{"", `{"v":1,"se`} {
			var told warnings
			cfg := config(t)
			cfg.Warn = told.add
			record(t, cfg, 10)
			tail := half + string(make([]byte, nuls))
			must(t, os.WriteFile(cfg.File, append(read(t, cfg.File), tail...), 0o600))
			record(t, cfg, 5)
			aside, err := filepath.Glob(cfg.File + ".torn-*")
			if err != nil || len(aside) != 1 || string(read(t, aside[0])) != tail {
				t.Errorf("%d NULs: %v, %v, %q", nuls, aside, err, told.all())
			}
			if r := whole(t, cfg.File); r.Events != 15 {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestSigned: with a key every seal is signed, and only by it.
func TestSigned(t *testing.T) {
	cfg := config(t)
	name := filepath.Join(t.TempDir(), "key")
	public, err := journal.NewKey(name)
	must(t, err)
	if cfg.Key, err = journal.PrivateKey(name); err != nil {
		t.Fatal(err)
	}
	record(t, cfg, 2500)
	if r := journal.Verify([]string{cfg.File}, journal.Check{Key: public}); !r.Whole() || r.Signed != 3 {
		t.Errorf("%+v", r)
	}
	other, err := journal.NewKey(name + "2")
	must(t, err)
	r := journal.Verify([]string{cfg.File}, journal.Check{Key: other})
	if len(r.Findings) != 3 || r.Findings[0].Fault != journal.WrongKey || r.Findings[0].Line != 1001 {
		t.Errorf("%+v", r.Findings)
	}
	if read, err := journal.PublicKey(name + ".pub"); err != nil || !read.Equal(public) {
		t.Errorf("%x, %v", read, err)
	}
	if _, err := journal.NewKey(name); err == nil {
		t.Error("a key was overwritten")
	}
	dir := t.TempDir()
	if _, err := journal.NewKey(filepath.Join(dir, strings.Repeat("x", 253))); err == nil || len(contents(t, dir)) > 0 {
		t.Errorf("%v, and there is half a key", err)
	}
	fifo := filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	if _, err := journal.PrivateKey(fifo); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}

// TestSignedOtherwise: whether a log is signed, or with which key, may change; it is
// said.
func TestSignedOtherwise(t *testing.T) {
	cfg := config(t)
	keys := map[string]ed25519.PrivateKey{}
	for _, name := range []string{"one", "two"} {
		_, key, err := ed25519.GenerateKey(nil)
		must(t, err)
		keys[name] = key
	}
	for _, step := range []struct{ key, want string }{
		{"", ""},
		{"one", "is signed by nobody"},
		{"one", ""},
		{"two", "is signed with another key"},
		{"", "is not signed from here on"},
		{"", ""},
	} {
		var told warnings
		cfg.Key, cfg.Warn = keys[step.key], told.add
		record(t, cfg, 10)
		if text := strings.Join(told.all(), "\n"); (step.want == "") != (text == "") || !strings.Contains(text, step.want) {
			t.Errorf("with key %q: %q, want %q", step.key, text, step.want)
		}
	}
	whole(t, cfg.File)
}

// TestKilledInRotation: what a recorder that was killed did not come to, the next
// one does: it deletes what was half compressed, or is there twice, and compresses
// the rest.
func TestKilledInRotation(t *testing.T) {
	cfg := config(t)
	cfg.RotateSize, cfg.Compress = 1<<20, journal.Gzip
	record(t, cfg, 5000)
	packed := cfg.File + ".000001.gz"
	var text []byte
	for line, err := range journal.Lines(packed) {
		must(t, err)
		text = append(text, line.Text...)
	}
	must(t, os.WriteFile(cfg.File+".000001", text, 0o600))
	must(t, os.WriteFile(cfg.File+".000002.gz.tmp", []byte("half"), 0o600))
	second := cfg.File + ".000002"
	text = nil
	for line, err := range journal.Lines(second + ".gz") {
		must(t, err)
		text = append(text, line.Text...)
	}
	must(t, os.Remove(second+".gz"))
	must(t, os.WriteFile(second, text, 0o600))
	record(t, cfg, 1)
	files, _ := filepath.Glob(cfg.File + "*")
	if want := []string{cfg.File, packed, second + ".gz"}; !slices.Equal(files, want) {
		t.Errorf("%v, want %v", files, want)
	}
	if r := whole(t, files...); r.Events != 5001 {
		t.Errorf("%+v", r)
	}
}

// TestPartNameTaken: a part stays as it is where it cannot have the name of a
// compressed one.
func TestPartNameTaken(t *testing.T) {
	for _, how := range []journal.Compression{journal.Gzip, journal.Zstd} {
		var told warnings
		cfg := config(t)
		cfg.RotateSize, cfg.Compress, cfg.Warn = 1<<20, how, told.add
		suffix := map[journal.Compression]string{journal.Gzip: ".gz", journal.Zstd: ".zst"}[how]
		must(t, os.Mkdir(cfg.File+".000001"+suffix, 0o700))
		j := begin(t, cfg)
		write(t, j, start())
		write(t, j, slices.Collect(creations(5000))...)
		write(t, j, stop(5000))
		if err := j.Close(); err == nil || !strings.Contains(err.Error(), "is there already") {
			t.Error(err)
		}
		if r := whole(t, cfg.File+".000001", cfg.File+".000002"+suffix, cfg.File); r.Events != 5000 {
			t.Errorf("%+v", r)
		}
		if left, _ := filepath.Glob(cfg.File + "*.tmp"); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

// TestStrangersParts: what only looks like a part is neither continued nor deleted.
func TestStrangersParts(t *testing.T) {
	cfg := config(t)
	cfg.RotateSize, cfg.Keep = 300<<10, 1
	other := config(t)
	other.File = filepath.Join(filepath.Dir(other.File), "other.jsonl")
	record(t, other, 3) // of another log
	var kept []string
	for name, text := range map[string][]byte{
		".000900": []byte("x"), ".20261124": read(t, other.File), ".000001.gz": []byte("\x1f\x8b"),
		".20261124101530": []byte("x"), ".20261125": []byte("x"), ".20261125.gz": []byte("x"), ".000901.gz.tmp": []byte("x"),
	} {
		kept = append(kept, cfg.File+name)
		must(t, os.WriteFile(cfg.File+name, text, 0o600))
	}
	record(t, cfg, 3000)
	for _, name := range kept {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if r := whole(t, cfg.File); r.Part < 3 {
		t.Errorf("%+v", r)
	}
}

// TestTornTold: half a line is told by the next trace that begins, also where who
// set it aside died before.
func TestTornTold(t *testing.T) {
	cfg := config(t)
	record(t, cfg, 10)
	text := read(t, cfg.File)
	must(t, os.WriteFile(cfg.File, text[:len(text)-10], 0o600))
	cfg.Warn = func(string) {}
	must(t, begin(t, cfg).Close())
	record(t, cfg, 1)
	told := 0
	for _, e := range events(t, cfg.File) {
		if e.Start != nil && e.Start.Log.Torn != nil {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	record(t, cfg, 1)
	if r := whole(t, cfg.File); r.Traces != 3 || r.Broken != 0 {
		t.Errorf("%+v", r)
	}
}

// TestBroken: a trace that another follows without its trace.stop is counted.
func TestBroken(t *testing.T) {
	cfg := config(t)
	j := begin(t, cfg)
	write(t, j, start(), create(1))
	must(t, j.Close())
	record(t, cfg, 1)
	if r := whole(t, cfg.File); r.Broken != 1 || r.Traces != 2 || !r.Ended {
		t.Errorf("%+v", r)
	}
	after := ""
	for _, e := range events(t, cfg.File) {
		if e.Start != nil && e.Start.Log.After != after {
			t.Errorf("after %q, want %q", e.Start.Log.After, after)
		}
		if e.Seal != nil {
			after = e.Seal.Hash
		}
	}
}

// TestSealedLate: the trace behind a late seal names that one.
func TestSealedLate(t *testing.T) {
	cfg := config(t)
	record(t, cfg, 100)
	text := read(t, cfg.File)
	end := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	must(t, os.WriteFile(cfg.File, text[:end], 0o600))
	record(t, cfg, 1)
	r := whole(t, cfg.File)
	last := ""
	for _, e := range events(t, cfg.File) {
		if e.Start != nil && e.Start.Log.After != last {
			t.Errorf("after %q, want %q", e.Start.Log.After, last)
		}
		if e.Seal != nil {
			last = e.Seal.Hash
		}
	}
	if r.Late != 102 {
		t.Errorf("%d lines sealed late", r.Late)
	}
}

// TestOtherLogs: files of two logs are not called one.
func TestOtherLogs(t *testing.T) {
	a, b := config(t), config(t)
	record(t, a, 10)
	b.RotateSize = 300 << 10
	record(t, b, 2000)
	if r := whole(t, a.File, b.File+".000001"); r.Logs != 2 {
		t.Errorf("%+v", r)
	}
	if r := whole(t, a.File, b.File); r.Logs != 2 || r.Headless != 1 || r.After != "" {
		t.Errorf("%+v", r)
	}
	if r := whole(t, b.File, a.File); r.Logs != 2 || r.Headless != 1 || r.After == "" {
		t.Errorf("%+v", r)
	}
}

// TestAppended: what record -o - writes may be appended to what it wrote before.
// Each log in it is held against its own seals.
func TestAppended(t *testing.T) {
	a, b := config(t), config(t)
	record(t, a, 1500)
	record(t, b, 1500)
	first, second := read(t, a.File), read(t, b.File)
	check := func(text []byte) *journal.Report {
		must(t, os.WriteFile(a.File, text, 0o600))
		return journal.Verify([]string{a.File}, journal.Check{})
	}
	r := check(slices.Concat(first, second))
	if !r.Whole() || r.Logs != 2 || r.Traces != 2 || r.Events != 3000 || r.Broken != 0 {
		t.Errorf("%+v", r)
	}
	for offset := len(first); offset < len(first)+len(second); offset += 1009 {
		text := slices.Concat(first, second)
		text[offset] ^= 1
		r := check(text)
		if line := lineAt(text, offset); r.Whole() || r.Findings[0].Line != line {
			t.Errorf("byte %d, line %d: %+v", offset, line, r.Findings)
		}
	}
	cut := bytes.LastIndexByte(first[:len(first)-1], '\n') + 1
	r = check(slices.Concat(first[:cut], second))
	if len(r.Findings) != 1 || r.Findings[0].Fault != journal.Unsealed || r.Logs != 2 {
		t.Errorf("%+v", r.Findings)
	}
}
