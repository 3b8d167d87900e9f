package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestServeDocsConfig: the configuration in docs/serve.md has every key, and is taken;
// and what it says are defaults are.
func TestServeDocsConfig(t *testing.T) {
	text := string(readFile(t, "../../docs/serve.md"))
	found := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindStringSubmatch(text)
	if found == nil {
		t.Fatal("no configuration")
	}
	pair := t.TempDir()
	certificate(t, pair)
	yamlText := strings.NewReplacer("/etc/ipctrace/ca.crt", pair+"/cert.pem", "/etc/ipctrace/client.crt", pair+"/cert.pem", "/etc/ipctrace/client.key", pair+"/key.pem", "/etc/ipctrace/key", filepath.Join(t.TempDir(), "key"), "postgres", "root").Replace(found[1])
	c, _, err := configured(t, yamlText)
	if err != nil {
		t.Fatal(err)
	}
	for flag, key := range keys {
		if c.line(key) == 0 {
			t.Errorf("nothing about %s (%s)", key, flag)
		}
	}
	c.Filters, c.Record, c.OTLP, c.Buffer = filters{}, defaultServeConfig().Record, defaultServeConfig().OTLP, ""
	c.file, c.text, c.over = "", nil, nil
	got, err1 := yaml.Marshal(c)
	want, err2 := yaml.Marshal(defaultServeConfig())
	if err1 != nil || err2 != nil || string(got) != string(want) {
		t.Errorf("%v %v: docs:\n%s\ndefaults:\n%s", err1, err2, got, want)
	}
}

// still is a trace in which nothing happens.
type still struct{}

func (still) Stats() tracer.Stats    { return tracer.Stats{} }
func (still) Ring() (used, size int) { return 0, 1 }
func (still) Look(look func(v *inventory.Inventory)) {
	v := inventory.New(inventory.Limits{})
	v.Apply(&event.Event{Event: event.NamespaceFound, NS: &event.Namespace{Inode: 1}})
	v.Apply(&event.Event{Event: event.NamespaceFound, NS: &event.Namespace{Inode: 2}})
	look(v)
}

// TestServeDocsMetrics: the table in docs/serve.md has the metrics that there are, and
// so do the alert rules and the dashboard.
func TestServeDocsMetrics(t *testing.T) {
	outputs := []metrics.Output{{Name: "otlp", SpoolLimits: 1, Retries: new(uint64), Lost: map[string]uint64{"queue": 0}}}
	m := metrics.New(metrics.Config{Namespaces: 1, Trace: still{}, Outputs: func() []metrics.Output { return outputs }})
	m.Delay("otlp").Observe(1)
	limits := []metrics.Limit{{Name: "SHMMNI", Used: 1, Max: 2}}
	m.Surveyed(&metrics.Survey{Limits: map[uint64][]metrics.Limit{1: limits, 2: limits}})
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, "ipctrace_") {
			there = append(there, name)
		}
	}
	for _, file := range []string{"../../docs/serve.md", deploy + "/prometheus/alerts.yaml", deploy + "/grafana/dashboard.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{}
		for _, name := range regexp.MustCompile(`\bipctrace_[a-z_]+`).FindAllString(string(text), -1) {
			name = strings.TrimSuffix(name, "_bucket")
			named[name] = true
			if !slices.Contains(there, name) {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
		for _, name := range there {
			if strings.HasSuffix(file, "serve.md") && !named[name] {
				t.Errorf("%s: nothing about %s", file, name)
			}
		}
	}
}

// TestPackagedConfig: the configuration that the Debian package installs is taken as it
// is, and with what it has as examples.
func TestPackagedConfig(t *testing.T) {
	text := string(readFile(t, "../../internal/packaging/debian/serve.yaml"))
	examples := regexp.MustCompile(`(?m)^#([a-z]|  )`).ReplaceAllString(text, "$1")
	for _, yamlText := range []string{text, examples} {
		if _, _, err := configured(t, yamlText); err != nil {
			t.Errorf("%v:\n%s", err, yamlText)
		}
	}
	if c, _, _ := configured(t, examples); c != nil && (c.line("record.file") == 0 || c.line("otlp.endpoint") == 0) {
		t.Error("the examples are not in it")
	}
}
