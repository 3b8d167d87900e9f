package kernels

import (
	"strings"
	"testing"
)

func TestMatrix(t *testing.T) {
	entries, err := Matrix()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name, e.Arch+"-") {
			t.Errorf("%s is for %s: a name starts with the architecture", e.Name, e.Arch)
		}
		if sibling[e.Arch] == "" {
			t.Errorf("%s: no 32-bit sibling of %s", e.Name, e.Arch)
		}
	}
	for _, name := range []string{"amd64-5.10", "amd64-6.1", "amd64-6.12", "amd64-7.x", "arm64-6.1", "arm64-6.12"} {
		if _, err := Select(entries, name); err != nil {
			t.Error(err)
		}
	}
}

func TestParseMatrixRefuses(t *testing.T) {
	for _, text := range []string{
		"amd64-1 amd64 sid\n",
		"amd64-1 amd64 sid p more\n",
		"riscv64-1 riscv64 sid p\n",
		"amd64-1 amd64 sid p\namd64-1 amd64 sid p\n",
	} {
		if got, err := parseMatrix(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestSelect(t *testing.T) {
	entries := []Entry{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for list, want := range map[string]string{"": "abc", "b": "b", "c, a": "ca"} {
		chosen, err := Select(entries, list)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		for _, e := range chosen {
			got += e.Name
		}
		if got != want {
			t.Errorf("Select(%q) = %s, want %s", list, got, want)
		}
	}
	if _, err := Select(entries, "a,d"); err == nil {
		t.Error("Select(a,d): want an error, d is not there")
	}
}
