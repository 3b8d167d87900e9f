package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/spf13/pflag"
)

// configured is what a file and flags come to.
func configured(t *testing.T, text string, args ...string) (*serveConfig, *plan, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return configuredBy(file, args)
}

func configuredBy(file string, args []string) (*serveConfig, *plan, error) {
	var c serveConfig
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	c.add(f)
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	if err := c.load(file, f); err != nil {
		return nil, nil, err
	}
	p, err := c.plan()
	return &c, p, err
}

func TestServeConfig(t *testing.T) {
	c, p, err := configured(t, `
filters:
  kind: [shm, sem]
  event: [create, remove]
  uid: [0, root]
  no_host: true
hooks: syscall
buffer: 16M
self_test: true
drain: 3s
metrics: {listen: "127.0.0.1:1", max_namespaces: 7, survey: 1m}
record:
  file: /var/log/ipc.log
  rotate_size: 100M
  rotate_time: 24h
  keep: 3
  compress: zstd
`, "--listen", "127.0.0.1:2", "--kind", "msg,sem", "--drain", "4s")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"--kind=msg,sem", "--event=create,remove", "--uid=0,root", "--no-host"}, p.words); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]event.Type{event.ObjectCreate, event.ObjectRemove}, p.filter.Events); diff != "" {
		t.Error(diff)
	}
	want := metricsConfig{Listen: "127.0.0.1:2", MaxNamespaces: 7, Survey: time.Minute}
	if diff := cmp.Diff(want, c.Metrics); diff != "" {
		t.Error(diff)
	}
	if c.Drain != 4*time.Second || !c.SelfTest || p.ring != 16<<20 || p.tier.String() != "syscall" {
		t.Errorf("%+v %+v", c, p)
	}
	if l := p.log; l == nil || l.File != "/var/log/ipc.log" || l.RotateSize != 100<<20 || l.Keep != 3 || l.Queue != 16<<20 || !l.Hasty {
		t.Errorf("%+v", p.log)
	}
}

// Without a file, or with an empty one, there are metrics and no more.
func TestServeConfigDefaults(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "---\nlooks: true\n...\n", "metrics:\nfilters:\n"} {
		c, p, err := configured(t, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if c.Metrics.Listen != defaultListen || p.log != nil || !p.filter.Empty() {
			t.Errorf("%q: %+v %+v", text, c, p)
		}
	}
}

// What is wrong is told with its line and key, or as the flag that it was.
func TestServeConfigErrors(t *testing.T) {
	for _, test := range []struct{ text, args, want string }{
		{"lissten: 1", "", `c.yaml:1: unknown field "lissten"; did you mean listen?`},
		{"metrics:\n  lissten: x", "", `c.yaml:2: unknown field "lissten"`},
		{"metrics:\n\n  max_namespaces: lots", "", `c.yaml:3: metrics.max_namespaces: "lots" is no int`},
		{"looks: maybe", "", `c.yaml:1: looks: "maybe" is no bool`},
		{"record: {file: x, keep: [3]}", "", "c.yaml:1: record.keep: "},
		{"metrics: 5", "", "c.yaml:1: metrics: "},
		{"\nfilters: {kind: shm}", "", "c.yaml:2: filters.kind: string was used where sequence is expected"},
		{"a: [", "", "c.yaml:1: "},
		{"drain: 1s\n---\ndrian: 2s", "", "c.yaml:2: another document begins: one is read"},
		{"filters:\n  kind: [shm]\n  event: [create, made]", "", `c.yaml:3: filters.event: unknown event "made"`},
		{"filters: {kind: [shmem]}", "", `c.yaml:1: filters.kind: unknown kind "shmem"`},
		{"filters:\n  pid: []", "", "c.yaml:2: filters.pid: no value"},
		{"filters:\n  comm: ['']", "", "c.yaml:2: filters.comm: no value"},
		{"filters:\n  ns: [here]", "", `c.yaml:2: filters.ns: "here" is not a namespace`},
		{"\nhooks: all", "", `c.yaml:2: hooks: unknown hooks "all"`},
		{"buffer: 3", "", "c.yaml:1: buffer: 3: must be from 64K to 1G"},
		{"drain: soon", "", "c.yaml:1: "},
		{"drain: -1s", "", "c.yaml:1: drain: -1s: must be 1s or more"},
		{"metrics:\n  max_namespaces: 0", "", "c.yaml:2: metrics.max_namespaces: 0: must be 1 or more"},
		{"metrics:\n  survey: 1ms", "", "c.yaml:2: metrics.survey: 1ms: must be 1s or more"},
		{"metrics:\n  web_config: /nowhere/web.yml", "", "c.yaml:2: metrics.web_config: /nowhere/web.yml: "},
		{"metrics:\n  listen: ''", "", "nothing to serve"},
		{"record:\n  file: x\n  rotate_size: 3", "", "c.yaml:3: record.rotate_size: 3: must be 64K or more"},
		{"record:\n  file: x\n  keep: 3", "", "c.yaml:3: record.keep: 3: is for old files"},
		{"record:\n  file: x\n  fsync: now", "", `c.yaml:3: record.fsync: unknown word "now"`},
		{"record:\n  file: x\n  rotate_time: 1ms", "", "c.yaml:3: record.rotate_time: 1ms: must be 1s or more"},
		{"record:\n  file: x\nnice: 20", "", "c.yaml:3: nice: 20: must be from -20 to 19"},
		{"record:\n  file: '-'", "", "c.yaml:2: record.file: -: a daemon has no stdout"},
		{"drain: 1s", "--drain=-2s", "--drain -2s: must be 1s or more"},
		{"filters: {kind: [shm]}", "--kind=queue", `--kind: unknown kind "queue"`},
	} {
		var args []string
		if test.args != "" {
			args = []string{test.args}
		}
		_, _, err := configured(t, test.text, args...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %s: %v, want %s", test.text, test.args, err, test.want)
		}
	}
	if _, _, err := configuredBy("/nowhere/c.yaml", nil); err == nil || !strings.Contains(err.Error(), "/nowhere/c.yaml: no such file") {
		t.Error(err)
	}
	if _, _, err := configured(t, strings.Repeat("#", maxConfig+1)); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Error(err)
	}
}

// What the flags say goes on to hold when the file is read again.
func TestServeConfigAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("filters: {kind: [shm], comm: [a, b]}")
	var c serveConfig
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	f.Bool("no-color", false, "")
	c.add(f)
	if err := f.Parse([]string{"--kind", "msg", "--kind", "sem", "--no-color", "--max-namespaces", "3"}); err != nil {
		t.Fatal(err)
	}
	if err := c.load(file, f); err != nil {
		t.Fatal(err)
	}
	write("filters: {kind: [mq], comm: [c]}\nmetrics: {max_namespaces: 9}\ndrain: 1s")
	next, err := c.anew(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filters{Kinds: []string{"msg", "sem"}, Comms: []string{"c"}}, next.Filters); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"drain"}, c.same(next)); diff != "" {
		t.Error(diff)
	}
}

// A file of anybody's does no more than be refused.
func FuzzServeConfig(f *testing.F) {
	for _, seed := range []string{"", "a: [", "filters: {kind: [shm]}", "metrics: *x", "a: &a [*a]", "record:\n  file: x\n  keep: 1e9", "? {}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, p, err := configured(t, text)
		if err == nil && (c == nil || p == nil) {
			t.Error("neither a plan nor an error")
		}
	})
}
