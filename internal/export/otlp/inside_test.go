package otlp

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/event"
)

// FuzzSpooled: whatever a line of a spool is, it is an event that can be sent, or none.
func FuzzSpooled(f *testing.F) {
	en := entry{stream: newStream(), observed: time.Unix(1, 2), own: true, event: &event.Event{
		V: event.Version, Event: event.ObjectCreate, Time: time.Unix(3, 4), Object: &event.Object{Kind: "mq", Name: "/\xff"}, Process: &event.Process{Comm: "\x1b"},
	}}
	f.Add(en.append(nil, new(event.Encoder)))
	f.Add([]byte("a 1 true {}"))
	f.Add([]byte("\xff 1 false {\"v\":1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		en, ok := parse(text)
		if !ok {
			return
		}
		var m maker
		r := m.record(&en)
		if body := r.Body().AsString(); !utf8.ValidString(body) || !utf8.ValidString(r.EventName()) {
			t.Errorf("%q", body)
		}
		for _, a := range m.attributes {
			if !utf8.ValidString(a.Value.String()) {
				t.Errorf("%s: %q", a.Key, a.Value.String())
			}
		}
		if again, ok := parse(en.append(nil, new(event.Encoder))); !ok || again.stream != en.stream {
			t.Error("not taken again")
		}
	})
}

func TestMachineID(t *testing.T) {
	dir := t.TempDir() + "/"
	if id := machineID(dir); id != "" {
		t.Error(id)
	}
	for _, test := range []struct{ file, text, want string }{
		{"var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n", "0123456789abcdef0123456789abcdef"},
		{"etc/machine-id", "uninitialized\n", "0123456789abcdef0123456789abcdef"},
		{"etc/machine-id", "1123456789abcdef0123456789abcdef\n", "1123456789abcdef0123456789abcdef"},
		{"proc/1/root/etc/machine-id", "2123456789abcdef0123456789abcdef\n", "2123456789abcdef0123456789abcdef"},
	} {
		writeFile(t, dir+test.file, test.text)
		if got := machineID(dir); got != test.want {
			t.Errorf("%s: %s", test.file, got)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestImage: the parts of an image's name.
func TestImage(t *testing.T) {
	for named, want := range map[string]string{
		"nginx":                    `container.image.name=nginx`,
		"nginx:1.2":                `container.image.name=nginx container.image.tags=["1.2"]`,
		"reg:5000/a/b":             `container.image.name=reg:5000/a/b`,
		"reg:5000/a/b:x@sha256:12": `container.image.name=reg:5000/a/b container.image.tags=["x"] container.image.repo_digests=["reg:5000/a/b@sha256:12"]`,
		"sha256:0123":              `container.image.id=sha256:0123`,
	} {
		var a attributes
		a.image(named)
		var got []string
		for _, kv := range a {
			got = append(got, string(kv.Key)+"="+kv.Value.String())
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", named, text, want)
		}
	}
}

// TestSpoolFullIdles: where there is no room, an event more does not have all that waits
// made ready for the spool once more.
func TestSpoolFullIdles(t *testing.T) {
	o, err := Open(t.Context(), Config{
		Endpoint: "http://127.0.0.1:1", Queue: 2000, Delay: time.Millisecond,
		Spool: filepath.Join(t.TempDir(), "spool"), SpoolBytes: 64 << 10, Warn: func(string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := &event.Event{Event: event.ObjectCreate, Time: time.Unix(1, 2), Process: &event.Process{Comm: strings.Repeat("x", 500)}}
	for full := false; !full; time.Sleep(time.Millisecond) {
		_ = o.Write(e)
		o.mu.Lock()
		full = o.queue.spoolFull && len(o.queue.entries) > 0
		o.mu.Unlock()
	}
	for range 20 {
		_ = o.Write(e)
		time.Sleep(time.Millisecond)
	}
	if len(o.spill) == 0 {
		t.Error("the spiller was woken though there is no room")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = o.Close(ctx) // there is no room for what waits
}
