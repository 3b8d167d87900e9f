package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// notified is what systemd was told meanwhile.
func notified(t *testing.T, meanwhile func()) (all []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	meanwhile()
	to, err := net.DialUnix("unixgram", nil, l.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	const last = "that is all"
	if _, err := to.Write([]byte(last)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		_ = l.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == last {
			return all
		}
		word, _, _ := strings.Cut(string(buf[:n]), "\n")
		all = append(all, word)
	}
}

// TestReloadUnready: who is told to reload while it starts does not say that it is ready.
func TestReloadUnready(t *testing.T) {
	var s server
	if said := notified(t, func() { s.reload(&cobra.Command{}) }); len(said) > 0 {
		t.Errorf("not ready, it said %q", said)
	}
	s.health.ready.Store(true)
	said := notified(t, func() { s.reload(&cobra.Command{}) })
	if got := strings.Join(said, " "); got != "RELOADING=1 READY=1" {
		t.Error(got)
	}
}

// TestReloadWrong: a file with other mistakes than in its filters is refused as well.
func TestReloadWrong(t *testing.T) {
	var said strings.Builder
	s := server{stderr: &said}
	s.cfg = defaultServeConfig()
	s.cfg.file = filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(s.cfg.file, []byte("metrics:\n  max_namespaces: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload(&cobra.Command{})
	if want := "not reloaded: " + s.cfg.file + ":2: metrics.max_namespaces: 0: must be 1 or more"; !strings.Contains(said.String(), want) {
		t.Errorf("no %q in %s", want, said.String())
	}
}
