package kernels

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sampleImage has names and contents of every length modulo four, an empty
// file and a directory within a directory.
func sampleImage(t *testing.T) Initramfs {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"busybox": "bb", "tree/a": "", "tree/bc": "1", "tree/sub/def": "22", "tree/sub/ghij": "333"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return Initramfs{
		Busybox: filepath.Join(dir, "busybox"),
		Files:   map[string]string{"/test/data": filepath.Join(dir, "tree")},
		Jobs:    []Job{{Name: "j", Dir: "/test", Line: "echo it's"}},
	}
}

func TestInitramfsAgainstCpio(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio to compare with")
	}
	var image bytes.Buffer
	if err := sampleImage(t).Write(&image); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := exec.Command(cpio, "--extract", "--verbose", "--quiet", "--no-preserve-owner")
	cmd.Dir = out
	cmd.Stdin = &image
	names, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, names)
	}
	want := "init bin bin/busybox test test/data test/data/a test/data/bc test/data/sub test/data/sub/def test/data/sub/ghij test/jobs"
	if got := strings.Join(strings.Fields(string(names)), " "); got != want {
		t.Errorf("archive holds\n%s, want\n%s", got, want)
	}
	for name, want := range map[string]string{
		"init": string(guestInit), "bin/busybox": "bb", "test/data/a": "", "test/data/bc": "1",
		"test/data/sub/def": "22", "test/data/sub/ghij": "333", "test/jobs": "j /test echo it's\n",
	} {
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]fs.FileMode{"init": 0o755, "test/data/a": 0o640} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, info.Mode(), err, want)
		}
	}
}

func TestInitramfsMissingFile(t *testing.T) {
	image := sampleImage(t)
	image.Files["/test/none"] = filepath.Join(t.TempDir(), "none")
	if err := image.Write(&bytes.Buffer{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no such file", err)
	}
}
