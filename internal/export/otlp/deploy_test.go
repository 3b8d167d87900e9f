package otlp_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/collector"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestGateway: deploy/collector.yaml takes what a host with the right certificate
// sends, and keeps it on disk while the backend is away, also when it is killed; who
// has another certificate is not let in.
func TestGateway(t *testing.T) {
	clearEnv(t)
	right, other := newCA(t), newCA(t)
	backend := newSink(t)
	backend.setAnswer(status(503))
	files := right.server(t, "127.0.0.1")
	for from, to := range map[string]string{files + "/server.crt": "tls.crt", files + "/server.key": "tls.key", right.file: "ca.crt"} {
		text, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(files, to), text, 0o600))
	}
	c := collector.Deployed(t, "../../../deploy/collector.yaml",
		"IPCTRACE_TLS="+files, "IPCTRACE_QUEUE="+filepath.Join(t.TempDir(), "queue"), "IPCTRACE_BACKEND="+backend.URL)
	c.Start()
	for _, protocol := range []otlp.Protocol{otlp.GRPC, otlp.HTTP} {
		cfg := otlp.Config{Protocol: protocol, Endpoint: "https://" + address(c, protocol), CA: right.file}
		cfg.Certificate, cfg.Key = other.client(t)
		var told warnings
		cfg.Warn = told.add
		o := open(t, spooled(t, cfg))
		write(t, o, start())
		eventually(t, o, "refusal", func(otlp.Counts) bool { return len(told.all()) > 0 })
		must(t, closeWithin(t, o, time.Minute))
		if counts := balanced(t, o); counts.Delivered != 0 || !strings.Contains(told.all()[0], "does not take events") {
			t.Errorf("%+v %q", counts, told.all())
		}
		cfg.Certificate, cfg.Key = right.client(t)
		o = open(t, cfg)
		write(t, o, start())
		writeObjects(t, o, 1, 1000)
		must(t, closeWithin(t, o, time.Minute))
		if counts := balanced(t, o); counts.Delivered != 1000 {
			t.Errorf("%+v", counts)
		}
	}
	c.Kill()
	backend.setAnswer(nil)
	c.Start()
	for range 3000 {
		if len(backend.all()) >= 2000 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	got := map[string]bool{}
	for _, r := range backend.all() {
		got[r.stream()+r.attribute("ipc.seq").String()] = true
	}
	if len(got) != 2000 {
		t.Errorf("the backend has %d:\n%s", len(got), c.Output())
	}
}

// client is the files of a certificate and its key.
func (a *authority) client(t testing.TB) (cert, key string) {
	dir := a.server(t, "127.0.0.1")
	return dir + "/server.crt", dir + "/server.key"
}

// TestRecipe: the recipe for jq in docs/otlp.md finds who made a key in what a collector
// writes as JSON, as its exporter to Kafka does.
func TestRecipe(t *testing.T) {
	clearEnv(t)
	jq := kerneltest.NeedProgram(t, "jq")
	text, err := os.ReadFile("../../../docs/otlp.md")
	must(t, err)
	program := regexp.MustCompile(`(?s)jq -c '(.*?)'\n`).FindSubmatch(text)
	if program == nil {
		t.Fatal("no recipe")
	}
	s := newSink(t)
	c := collector.New(t, collector.Options{Forward: s.URL, JSON: true})
	c.Start()
	o := open(t, otlp.Config{Endpoint: "http://" + c.HTTP})
	write(t, o, start(), create(0x6c54b6c4), create(1))
	must(t, closeWithin(t, o, time.Minute))
	cmd := exec.Command(jq, "-c", string(program[1]))
	cmd.Stdin = bytes.NewReader(s.lastBody())
	out, err := cmd.CombinedOutput()
	host, _ := os.Hostname()
	want := `["` + host + `","ipcmk","4711","object.create msg 1817491140 key 0x6c54b6c4 in 4026531839 host: ipcmk[4711]"]`
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}
