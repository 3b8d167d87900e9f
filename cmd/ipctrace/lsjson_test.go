package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
)

// example is the listing in docs/ls.md.
func example() jsonList {
	ctime := time.Date(2026, 7, 14, 4, 30, 0, 0, time.UTC).Unix()
	known := func(used, most uint64) sysvipc.Limit { return sysvipc.Limit{Used: used, Max: most, Known: true} }
	web := snapshot.Namespace{
		Namespace: nsresolve.Namespace{
			Inode: 4026532840, ID: 53011, Label: "docker:4f797c539e6c", Processes: make([]nsresolve.Process, 3),
			Pins: []nsresolve.Pin{{Kind: nsresolve.PinMount, PID: 1, Path: "/run/ipc/caf\xe9"}},
		},
		Objects: []sysvipc.Object{
			{Kind: "shm", ID: 2, Key: 0x51, Mode: 0o600, UID: 33, GID: 33, CUID: 33, CGID: 33, Size: 7372800, CPID: 900, LPID: 901, CTime: ctime},
			{Kind: "shm", ID: 3, Mode: 0o1600, Size: 4096, Attached: 1, CPID: 4711, LPID: 4711, CTime: ctime},
			{Kind: "mq", Name: "/jobs", Inode: 19, Mode: 0o600, UID: 999, GID: 999, Messages: 1, Bytes: 11, MaxMsg: 10, MsgSize: 8192, CTime: ctime},
		},
		Limits: sysvipc.Limits{
			SHMMNI: known(2, 4096), SHMALL: known(1801, 18446744073692774399), MSGMNI: known(0, 32000),
			SEMMNI: known(0, 32000), SEMMNS: known(0, 1024000000), QueuesMax: known(1, 1),
		},
	}
	web.Processes[0].Cgroup = "/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"
	closed := snapshot.Namespace{
		Namespace: nsresolve.Namespace{Inode: 4026532900, Label: "sh\u202e[63001]", Processes: make([]nsresolve.Process, 1)},
		Err:       sysvipc.ErrPrivilege,
	}
	list := []listed{{Namespace: web}, {Namespace: closed}}
	for i, about := range []view.ListedObject{{Orphan: orphanYes}, {Orphan: orphanNo, CreatorComm: "postgres"}, {}} {
		about.Object = web.Objects[i].Event()
		list[0].objects = append(list[0].objects, about)
	}
	j := jsonListing(&snapshot.Snapshot{Unreadable: 2}, list, nil)
	j.From, j.To = "2026-07-14T04:33:17.000000123Z", "2026-07-14T04:33:17.020000000Z"
	return j
}

// TestLsDocs: the example in the docs is what the program writes, the docs explain
// every name in it, and the recipes do what they say.
func TestLsDocs(t *testing.T) {
	var b bytes.Buffer
	if err := writeJSON(&b, example()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/ls.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(text)
	_, block, _ := strings.Cut(docs, "```json\n")
	block, _, _ = strings.Cut(block, "```\n")
	if diff := cmp.Diff(b.String(), block); diff != "" {
		t.Errorf("-written +docs:\n%s", diff)
	}
	var v any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	eachName(v, func(name string) {
		if strings.Count(docs, "`"+name+"`") == 0 {
			t.Errorf("nothing about %s", name)
		}
	})
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("n/a: no jq")
	}
	recipes := strings.Split(docs, "```sh\n")[1:]
	if len(recipes) < 2 {
		t.Errorf("%d recipes", len(recipes))
	}
	for _, recipe := range recipes {
		command, rest, _ := strings.Cut(recipe, "```\n")
		_, want, _ := strings.Cut(rest, "```text\n")
		want, _, _ = strings.Cut(want, "```\n")
		filter, ok := strings.CutPrefix(command, "ipctrace ls --json | jq ")
		if !ok {
			t.Errorf("recipe %s", command)
		}
		cmd := exec.Command("sh", "-c", jq+" "+filter)
		cmd.Stdin = bytes.NewReader(b.Bytes())
		out, err := cmd.CombinedOutput()
		if diff := cmp.Diff(want, string(out)); diff != "" || err != nil {
			t.Errorf("%s: %v: -docs +jq:\n%s", command, err, diff)
		}
	}
}

func eachName(v any, do func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			do(name)
			eachName(value, do)
		}
	case []any:
		for _, value := range v {
			eachName(value, do)
		}
	}
}

// TestLsQueuesError: what could not be listed is said, and only to those who asked.
func TestLsQueuesError(t *testing.T) {
	n := snapshot.Namespace{Namespace: nsresolve.Namespace{Inode: 1}, MQ: errors.New("no fsopen")}
	for _, test := range []struct {
		kinds []string
		want  string
	}{
		{nil, "POSIX queues not listed: no fsopen"}, {[]string{"msg", "mq"}, "POSIX queues not listed: no fsopen"}, {[]string{"msg"}, ""},
	} {
		l := lister{kinds: test.kinds}
		if got := l.row(&listed{Namespace: n}).Note; got != test.want {
			t.Errorf("%q: %q", test.kinds, got)
		}
		list := l.choose(&snapshot.Snapshot{Namespaces: []snapshot.Namespace{n}})
		if (len(list) == 1) != (test.want != "") {
			t.Errorf("%q: %+v", test.kinds, list)
		}
	}
	if j := jsonListedOf(&listed{Namespace: n}, nil); j.QueuesError != "no fsopen" || j.Error != "" {
		t.Errorf("%+v", j)
	}
}

// TestEscaped: what acts on a terminal does not get there, and the text reads
// back the same.
func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"a\nb":            `"a\nb"`,
		"\x1b[2J\x7f":     `"\u001b[2J\u007f"`,
		"\u009b\u202e":    `"\u009b\u202e"`,
		"\U000e0041世界 é🎉": `"\udb40\udc41世界 é🎉"`,
		"\xff":            `"\ufffd"`,
	} {
		var b bytes.Buffer
		if err := writeJSON(&b, text); err != nil || b.String() != want+"\n" {
			t.Errorf("%q: %v: %s", text, err, b.String())
		}
	}
}
