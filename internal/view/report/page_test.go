package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"golang.org/x/net/html"
)

// hostile is a log with a text in every place that others can choose.
func hostile(text string) []byte {
	e := event.Event{V: event.Version, Seq: 1, Event: event.TraceStart, Start: &event.Start{
		Tool: text, Host: text, Kernel: text, Arch: text, Tier: text, Gaps: []string{text}, Filters: []string{text}, BootID: text,
	}}
	log := append(e.AppendJSON(nil), '\n')
	n, size := int32(7), uint64(1)
	who := &event.Process{PID: 1, Comm: text, ParentComm: text, Cgroup: text}
	box := &event.Container{ID: text, Runtime: text, Name: text, Image: text, Pod: text, PodNamespace: text}
	ns := &event.Namespace{Inode: 1, Gen: 1, Label: text}
	for i, typ := range append(slices.Clone(event.Types), event.Type("object."+text), event.Type("namespace."+text)) {
		for k, o := range []*event.Object{
			{Kind: text, ID: &n, Flags: []string{text}}, {Kind: "mq", Name: text, Inode: &size, Flags: []string{text}}, {Kind: "msg", ID: &n, Key: 1},
		} {
			e := event.Event{
				V: event.Version, Seq: uint64(2 + 3*i + k), Event: typ, Observed: event.Observed(text), NS: ns, From: &event.Namespace{Inode: 2, Gen: 1, Label: text},
				Process: who, Container: box, Syscall: text, ABI: text, Cause: event.Cause(text), Errno: text,
			}
			if typ.IsObject() {
				e.Object = o
			}
			log = append(e.AppendJSON(log), '\n')
		}
	}
	return log
}

// nasty texts are what one would try.
var nasty = []string{
	"</script><script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "<!--<script>", "]]></title></svg><script>alert(1)</script>",
	"\x1b[2J\x00\x7f\u202e\u2028", "{{.}}${1}`';\\", "\xff\xfe", "javascript:alert(1)", strings.Repeat("W", 5000),
}

// judged is a page of a log whose verdict is as hostile as it can be.
func judged(t testing.TB, text []byte, word string) *Log {
	log := logOf(t, text, Limits{})
	log.Verdict = Verdict{Report: &journal.Report{Key: word, Head: word, Findings: []journal.Finding{{Fault: journal.Altered, File: word, Line: 1, Text: word}}}}
	log.Filters, log.Notes = []string{word}, []string{word}
	return log
}

// TestHostile: whatever others called themselves, the page has the elements that it has
// anyway, and the drawing is one.
func TestHostile(t *testing.T) {
	plain := elements(t, render(t, judged(t, hostile("plain"), "plain")))
	for _, text := range nasty {
		page := render(t, judged(t, hostile(text), text))
		if got := elements(t, page); got["script"] != plain["script"] || got["style"] != plain["style"] || got["img"]+got["iframe"]+got["object"] != 0 {
			t.Errorf("%.40q: %v, want %v", text, got, plain)
		}
		drawn(t, judged(t, hostile(text), text))
	}
}

func render(t testing.TB, log *Log) []byte {
	t.Helper()
	var page bytes.Buffer
	if err := log.HTML(&page); err != nil {
		t.Fatal(err)
	}
	return page.Bytes()
}

// elements counts those of a page. None runs what stands in an attribute, or names
// another place; and all text is printable.
func elements(t testing.TB, page []byte) map[string]int {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			counts[n.Data]++
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "href" && a.Val != "data:," {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
			}
		case html.TextNode:
			if i := strings.IndexFunc(n.Data, func(r rune) bool { return r != '\n' && r != ' ' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("not printable: %q", n.Data[i:min(len(n.Data), i+40)])
			}
		}
	}
	return counts
}

// drawn reads the drawing as XML.
func drawn(t testing.TB, log *Log) {
	t.Helper()
	var drawing bytes.Buffer
	if err := log.SVG(&drawing); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&drawing)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok && (start.Name.Local == "script" || start.Name.Local == "image" || start.Name.Local == "a") {
			t.Errorf("<%s> in the drawing", start.Name.Local)
		}
	}
}

// TestPolicy: the page's policy names the script and the style that stand in it, and
// nothing else may be loaded or run.
func TestPolicy(t *testing.T) {
	root, err := html.Parse(bytes.NewReader(render(t, logOf(t, sessionLog(t), Limits{}))))
	if err != nil {
		t.Fatal(err)
	}
	var policy string
	var hashes []string
	for n := range root.Descendants() {
		typ := ""
		equiv := false
		for _, a := range n.Attr {
			equiv = equiv || a.Key == "http-equiv" && a.Val == "Content-Security-Policy"
			if a.Key == "type" {
				typ = a.Val
			}
			if a.Key == "content" && equiv {
				policy = a.Val
			}
		}
		if (n.Data == "script" && typ == "" || n.Data == "style") && n.FirstChild != nil {
			hashes = append(hashes, hash(n.FirstChild.Data))
		}
	}
	if len(hashes) != 2 {
		t.Fatalf("%d scripts and styles, want one of each", len(hashes))
	}
	want := "default-src 'none'; script-src '" + hashes[1] + "'; style-src '" + hashes[0] + "'; img-src data:; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %q, want %q", policy, want)
	}
}

// TestVerdicts: what the seals say is the first thing on the page.
func TestVerdicts(t *testing.T) {
	sealed := journal.Report{Seals: 2, Logs: 1, Head: "c0ffee"}
	broken, bare := sealed, journal.Report{Findings: []journal.Finding{{Fault: journal.Unsealed}}}
	broken.Findings = []journal.Finding{{Fault: journal.Altered, File: "t.jsonl", Line: 5, Offset: 1978, Text: "not as it was sealed"}}
	stripped := bare
	stripped.Logs = 1 // it was recorded, and a record has seals
	for _, c := range []struct {
		report   *journal.Report
		class    string
		says     []string
		unsealed bool
	}{
		{&sealed, "whole", []string{"Whole: as it was written", "c0ffee", "signed by nobody"}, false},
		{&broken, "broken", []string{"NOT WHOLE", "altered: t.jsonl, line 5 (byte 1978): not as it was sealed"}, false},
		{&bare, "unsealed", []string{"Not sealed"}, true},
		{&stripped, "broken", []string{"NOT WHOLE"}, false},
		{nil, "none", []string{"not checked"}, false},
	} {
		log := logOf(t, sessionLog(t), Limits{})
		log.Verdict.Report, log.Verdict.Grown = c.report, 3
		page := string(render(t, log))
		for _, text := range append(c.says, "3 lines of this page came after what was checked", `class="verdict `+c.class+`"`) {
			if !strings.Contains(page, text) {
				t.Errorf("%s: nothing about %q", c.class, text)
			}
		}
		if log.Verdict.Unsealed() != c.unsealed {
			t.Errorf("%s: unsealed %t", c.class, log.Verdict.Unsealed())
		}
	}
}

// TestEmpty: of nothing there is no page.
func TestEmpty(t *testing.T) {
	for _, write := range []func(io.Writer) error{New(Limits{}).HTML, New(Limits{}).SVG} {
		if err := write(io.Discard); !errors.Is(err, errEmpty) {
			t.Errorf("%v", err)
		}
	}
}

// TestTraces: each trace is a part of the page, and those that have no room are counted.
func TestTraces(t *testing.T) {
	text := bytes.Repeat(sessionLog(t), 4)
	log := logOf(t, text, Limits{Traces: 3})
	page := string(render(t, log))
	if n := strings.Count(page, `class="data"`); n != 3 || !strings.Contains(page, "1 traces more") {
		t.Errorf("%d traces on the page", n)
	}
	drawn(t, log)
}

// FuzzPage makes a page of any log that can be read.
func FuzzPage(f *testing.F) {
	f.Add(sessionLog(f))
	for _, text := range nasty {
		lines := slices.Collect(bytes.Lines(hostile(text[:min(len(text), 50)])))
		f.Add(bytes.Join([][]byte{lines[0], lines[1], lines[9], lines[10], lines[25]}, nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		log := logOf(t, text, Limits{Events: 50, Objects: 8, Namespaces: 4, Traces: 2, Losses: 2})
		if len(log.traces) == 0 {
			return
		}
		if got := elements(t, render(t, log)); got["script"] != 1+len(log.traces) || got["style"] != 1 {
			t.Errorf("%v", got)
		}
		drawn(t, log)
		for _, trace := range log.traces {
			text, err := trace.encode(trace.arrange())
			if err != nil || !json.Valid(text) || bytes.ContainsAny(text, "<>&") {
				t.Errorf("data: %v", err)
			}
		}
	})
}
