package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestVersion: what is said of a build holds for this one.
func TestVersion(t *testing.T) {
	said, err1 := exec.Command("ipctrace", "version").Output()
	asJSON, err2 := exec.Command("ipctrace", "version", "--json").Output()
	short, err3 := exec.Command("ipctrace", "--version").Output()
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	var b build
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		t.Fatal(err)
	}
	if b.Version == "" || b.Go != runtime.Version() || b.OS != "linux" || b.Arch != runtime.GOARCH || strings.Join(b.Tiers, " ") != "fentry syscall" {
		t.Errorf("%+v", b)
	}
	machine := map[string]string{"amd64": "x86", "arm64": "arm64"}[runtime.GOARCH]
	for _, name := range []string{"ipctrace", "tasks"} {
		sum := sha256.Sum256(readFile(t, fmt.Sprintf("../../tracer/%s_%s_bpfel.o", name, machine)))
		if want := hex.EncodeToString(sum[:]); b.Objects[name] != want || !strings.Contains(string(said), "object   "+want+" "+name+"\n") {
			t.Errorf("%s is %s: %s %s", name, want, asJSON, said)
		}
	}
	if !strings.HasPrefix(string(said), "ipctrace "+b.Version+"\n") || string(short) != "ipctrace version "+b.Version+"\n" {
		t.Errorf("%s: %s %s", b.Version, said, short)
	}
}

// TestVersionText: what is not known is left out.
func TestVersionText(t *testing.T) {
	known := build{Version: "v1.2.3", Commit: "0123abc", Modified: true, Time: "2026-11-29T10:00:00Z", Go: "go1.26", OS: "linux", Arch: "arm64", Tiers: []string{"fentry", "syscall"}}
	for _, tt := range []struct {
		of   build
		want string
	}{
		{known, "ipctrace v1.2.3\ncommit   0123abc, modified\nof       2026-11-29T10:00:00Z\ngo       go1.26 linux/arm64\ntiers    fentry, syscall\n"},
		{build{Version: "(devel)", Go: "go1.26", OS: "linux", Arch: "amd64"}, "ipctrace (devel)\ngo       go1.26 linux/amd64\n"},
	} {
		var out bytes.Buffer
		if err := tt.of.write(&out); err != nil || out.String() != tt.want {
			t.Errorf("%v: %q, want %q", err, &out, tt.want)
		}
	}
}
