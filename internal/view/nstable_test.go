package view

import (
	"bytes"
	"strings"
	"testing"
)

func TestNamespaces(t *testing.T) {
	rows := []NamespaceRow{
		{Namespace: "4026531839", Label: "host", Processes: 212, Threads: 901, Oldest: "systemd[1]"},
		{Namespace: "4026532765.2", Label: "世界\x1b[2J", Processes: 1, Threads: 1, Oldest: "ba\nsh[62293]",
			Pins: []string{"/run/ns\n/x", "fd 3 of 812"}},
		{Namespace: "4026532766"},
	}
	golden(t, "namespaces.txt", rendered(t, func(w *bytes.Buffer) error { return Namespaces(w, rows, plainOptions()) }))
}

func TestLinks(t *testing.T) {
	rows := []LinkRow{
		{Name: "cgroup", Values: []string{"4026531835", "4026531835"}, Same: true},
		{Name: "ipc", Values: []string{"4026531839", "4026532765"}},
		{Name: "time", Values: []string{"4026531834"}},
		{Name: "us\x1ber", Values: []string{"\n", "世界"}},
	}
	for name, color := range map[string]bool{"links.txt": false, "links-color.txt": true} {
		opts := plainOptions()
		opts.Color = color
		golden(t, name, rendered(t, func(w *bytes.Buffer) error {
			return Links(w, []string{"A: bash[49265]", "B: b\x1bsh[62293]"}, rows, opts)
		}))
	}
}

func TestShared(t *testing.T) {
	few, many := []string{"docker:a\x1b", "podman:b"}, strings.Split("abcdefg", "")
	for _, test := range []struct {
		initial    bool
		containers []string
		want       string
	}{
		{false, nil, ""}, {false, few[:1], ""}, {true, nil, ""},
		{false, few, `shared by docker:a\x1b, podman:b`}, {true, few[:1], `shared by the host and docker:a\x1b`},
		{false, many, "shared by a, b, c, d and 3 more"},
	} {
		check(t, sharedBy(test.initial, test.containers), test.want)
	}
}
