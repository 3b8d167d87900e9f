package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/spf13/pflag"
)

// serveConfig is what serve is told: by its defaults, over these by its file, and over
// that by flags. docs/serve.md describes the file.
type serveConfig struct {
	Filters  filters       `yaml:"filters"`
	Hooks    string        `yaml:"hooks"`
	Buffer   string        `yaml:"buffer"`
	Nice     int           `yaml:"nice"`
	SelfTest bool          `yaml:"self_test"`
	Drain    time.Duration `yaml:"drain"`
	User     string        `yaml:"user"`
	Looks    bool          `yaml:"looks"`
	Metrics  metricsConfig `yaml:"metrics"`
	Record   logFlags      `yaml:"record"`
	OTLP     otlpConfig    `yaml:"otlp"`

	Containers container.Sockets `yaml:"containers"`

	file string // its name; "": there is none
	text []byte
	over map[string]bool // flags that were given
}

// metricsConfig is of what Prometheus scrapes.
type metricsConfig struct {
	Listen        string        `yaml:"listen"`
	WebConfig     string        `yaml:"web_config"`
	MaxNamespaces int           `yaml:"max_namespaces"`
	Survey        time.Duration `yaml:"survey"`
}

// Defaults that are not those of record.
const (
	defaultListen = "127.0.0.1:9464"
	defaultDrain  = 10 * time.Second
	defaultSurvey = 15 * time.Second
	serveQueue    = "16M" // nobody waits for it to empty
)

func defaultServeConfig() serveConfig {
	return serveConfig{
		Hooks: tracer.Auto.String(), Nice: defaultNice, Drain: defaultDrain, Looks: true,
		Metrics: metricsConfig{Listen: defaultListen, MaxNamespaces: metrics.DefaultNamespaces, Survey: defaultSurvey},
		Record:  logFlags{Fsync: string(journal.FsyncInterval), Queue: serveQueue},
		OTLP:    otlpConfig{SpoolSize: "256M", Metrics: true},
	}
}

func (s *serveConfig) add(f *pflag.FlagSet) {
	*s = defaultServeConfig()
	s.Filters.addPlaces(f, "INODE|self|host|pid:N")
	s.Filters.addCalls(f)
	addHooks(f, &s.Hooks, &s.Buffer)
	addEngines(f, &s.Containers)
	f.StringVar(&s.Metrics.Listen, "listen", s.Metrics.Listen, "serve metrics and health on this `ADDRESS`; empty: do not")
	f.StringVar(&s.Metrics.WebConfig, "web-config", "", "TLS and passwords for that: a web configuration `FILE` as Prometheus has it")
	f.IntVar(&s.Metrics.MaxNamespaces, "max-namespaces", s.Metrics.MaxNamespaces, "`N` namespaces have series of their own; the rest is \"other\"")
	f.StringVar(&s.Record.File, "record", "", "keep a log in this `FILE` too, as ipctrace record does")
	f.StringVar(&s.OTLP.Endpoint, "otlp", "", "send events and metrics to an OpenTelemetry Collector at this `URL`: http://localhost:4318")
	f.StringVar(&s.OTLP.Spool, "spool", "", "keep in this `DIR` what the collector does not take, until it does")
	f.StringVar(&s.OTLP.SpoolSize, "spool-size", s.OTLP.SpoolSize, "how much of that, at most: `SIZE`")
	f.DurationVar(&s.Drain, "drain", s.Drain, "how long outputs may take to get rid of what they have when it is to end: `TIME`")
	f.StringVar(&s.User, "user", "", "serve as this `USER`, by name or number; for who starts it as root")
	f.BoolVar(&s.Looks, "looks", s.Looks, "look into all IPC namespaces while it serves; without, rights to that are given up: docs/privileges.md says what is lost")
	f.BoolVar(&s.SelfTest, "self-test", false, "before it says that it is ready, make a queue in a namespace of its own, and see it")
}

// keys of the file, by the flag that is for the same, or that would be called so.
var keys = map[string]string{
	"listen": "metrics.listen", "web-config": "metrics.web_config", "max-namespaces": "metrics.max_namespaces", "survey": "metrics.survey",
	"record": "record.file", "drain": "drain", "hooks": "hooks", "buffer": "buffer", "user": "user", "looks": "looks",
	"otlp": "otlp.endpoint", "spool": "otlp.spool", "spool-size": "otlp.spool_size",
	"docker": "containers.docker", "cri": "containers.cri",
	"kind": "filters.kind", "event": "filters.event", "ns": "filters.ns", "no-host": "filters.no_host",
	"pid": "filters.pid", "uid": "filters.uid", "comm": "filters.comm", "container": "filters.container",
	"rotate-size": "record.rotate_size", "rotate-time": "record.rotate_time", "keep": "record.keep", "compress": "record.compress",
	"fsync": "record.fsync", "sign": "record.sign", "seal-to": "record.seal_to", "nice": "nice", "queue": "record.queue",
}

// keyWords are the words that keys consist of.
func keyWords() (words []string) {
	for _, key := range keys {
		words = append(words, strings.Split(key, ".")...)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// maxConfig is how large the file may be, in bytes.
const maxConfig = 1 << 20

// load reads the file over what is there, and puts the flags that were given over it.
func (s *serveConfig) load(file string, f *pflag.FlagSet) error {
	s.file, s.over = file, map[string]bool{}
	var over []func() error
	f.Visit(func(flag *pflag.Flag) {
		s.over[flag.Name] = true
		over = append(over, again(flag))
	})
	if file == "" {
		return nil
	}
	if err := s.read(); err != nil {
		return err
	}
	for _, set := range over {
		if err := set(); err != nil {
			return usage(err)
		}
	}
	return nil
}

// again gives a flag its present value once more.
func again(flag *pflag.Flag) func() error {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		values := slices.Clone(list.GetSlice())
		return func() error { return list.Replace(values) }
	}
	value := flag.Value.String()
	return func() error { return flag.Value.Set(value) }
}

func (s *serveConfig) read() error {
	f, err := os.Open(s.file)
	if err != nil {
		return usagef("configuration: %w", err)
	}
	defer f.Close()
	if s.text, err = io.ReadAll(io.LimitReader(f, maxConfig+1)); err != nil {
		return usagef("configuration: %w", err)
	}
	if len(s.text) > maxConfig {
		return usagef("%s: larger than 1 MiB: is it the configuration?", s.file)
	}
	return s.decode()
}

func (s *serveConfig) decode() error {
	file, err := parser.ParseBytes(s.text, 0)
	if err != nil {
		return s.locate(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil { // it says nothing, and the decoder would clear all
		return nil
	}
	if len(file.Docs) > 1 {
		return usagef("%s:%d: another document begins: one is read", s.file, file.Docs[1].Start.Position.Line)
	}
	// Of a time that is none the decoder does not say where it is.
	for _, key := range []string{"drain", "metrics.survey", "record.rotate_time", "otlp.interval"} {
		if node := s.find(key); node != nil {
			if _, err := time.ParseDuration(node.GetToken().Value); err != nil {
				return usagef("%s:%d: %s: %q is not a time: 10s, 24h", s.file, node.GetToken().Position.Line, key, node.GetToken().Value)
			}
		}
	}
	if err := yaml.NewDecoder(bytes.NewReader(s.text), yaml.DisallowUnknownField()).Decode(s); err != nil {
		return s.locate(err)
	}
	return nil
}

// locate says where what the parser or the decoder refused is: its line, and the key
// whose value it is.
func (s *serveConfig) locate(err error) error {
	var wrong yaml.Error
	if !errors.As(err, &wrong) || wrong.GetToken() == nil {
		return usagef("%s: %w", s.file, err)
	}
	at, what := wrong.GetToken(), wrong.GetMessage()
	var mistyped *yaml.TypeError
	if errors.As(err, &mistyped) { // it would tell the names that the program has for it
		what = fmt.Sprintf("%q is no %s", at.Value, mistyped.DstType)
	}
	var syntax *yaml.SyntaxError
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		what += didYouMean(at.Value, keyWords())
	}
	if key := s.keyAt(at); key != "" && !errors.As(err, &syntax) && !errors.As(err, &unknown) {
		what = key + ": " + what
	}
	return usagef("%s:%d: %s", s.file, at.Position.Line, what)
}

// given says whether a flag was, or its key.
func (s *serveConfig) given(flag string) bool { return s.over[flag] || s.line(keys[flag]) > 0 }

// line is where the value of a key is in the file; 0: it has none.
func (s *serveConfig) line(key string) int {
	node := s.find(key)
	if node == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

func (s *serveConfig) find(key string) ast.Node {
	path, err := yaml.PathString("$." + key)
	if err != nil || key == "" || len(s.text) == 0 {
		return nil
	}
	file, err := parser.ParseBytes(s.text, 0)
	if err != nil {
		return nil
	}
	node, err := path.FilterFile(file)
	if err != nil {
		return nil
	}
	return node
}

// keyAt is the key whose value is at a token of the file; "" if none is.
func (s *serveConfig) keyAt(at *token.Token) string {
	file, err := parser.ParseBytes(s.text, 0)
	if err != nil {
		return ""
	}
	search := &keySearch{offset: at.Position.Offset}
	for _, doc := range file.Docs {
		ast.Walk(search, doc)
	}
	return strings.TrimPrefix(search.path, "$.")
}

// keySearch looks for the innermost node that begins at an offset.
type keySearch struct {
	offset int
	path   string
}

// Visit is of ast.Visitor.
func (k *keySearch) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position.Offset == k.offset {
		k.path = n.GetPath()
	}
	return k
}

// place tells of what was refused by its line and key, if it is the file's.
func (s *serveConfig) place(err error) error {
	var r refusal
	if !errors.As(err, &r) || s.over[r.flag] {
		return err
	}
	key := cmp.Or(keys[r.flag], r.flag)
	why := strings.TrimLeft(r.why.Error(), ": ")
	if line := s.line(key); line > 0 {
		return usagef("%s:%d: %s: %s", s.file, line, key, why)
	}
	return usagef("%s: %s: %s", cmp.Or(s.file, "configuration"), key, why)
}

// plan is a configuration that can be served.
type plan struct {
	tier   tracer.Tier
	ring   int // bytes
	filter stream.Filter
	words  []string
	log    *journal.Config // nil: none is kept
	otlp   *otlp.Config    // nil: nothing is sent
}

// plan checks all of it, so that what is wrong is said before anything begins.
func (s *serveConfig) plan() (*plan, error) {
	p, err := s.check()
	if err != nil {
		return nil, s.place(err)
	}
	return p, nil
}

func (s *serveConfig) check() (*plan, error) {
	if err := s.Filters.complete(s.given); err != nil {
		return nil, err
	}
	sel := selection{filters: s.Filters, hooks: s.Hooks, buffer: s.Buffer, engines: s.Containers}
	traced, filter, err := sel.config()
	if err != nil {
		return nil, err
	}
	p := &plan{tier: traced.Tier, ring: traced.RingBytes, filter: filter, words: s.Filters.words()}
	switch m := s.Metrics; {
	case m.Listen == "" && s.Record.File == "" && !s.OTLP.wanted():
		return nil, usagef("nothing to serve: no metrics (--listen), no log (--record) and no OTLP (--otlp)")
	case m.MaxNamespaces < 1:
		return nil, refused("max-namespaces", " %d: must be 1 or more", m.MaxNamespaces)
	case m.Survey < time.Second:
		return nil, refused("survey", " %v: must be 1s or more", m.Survey)
	case s.Nice < -20 || s.Nice > 19:
		return nil, refused("nice", " %d: must be from -20 to 19", s.Nice)
	case s.Drain < time.Second: // in less no output is done with what it has
		return nil, refused("drain", " %v: must be 1s or more", s.Drain)
	}
	if err := web.Validate(s.Metrics.WebConfig); err != nil {
		return nil, refused("web-config", " %s: %w", s.Metrics.WebConfig, err)
	}
	if p.otlp, err = s.OTLP.config(s.given); err != nil {
		return nil, err
	}
	if s.Record.File == "" {
		return p, nil
	}
	if s.Record.toStdout() {
		return nil, refused("record", " -: a daemon has no stdout: name a file")
	}
	s.Record.Nice = s.Nice
	log, err := s.Record.config(s.given)
	if err != nil {
		return nil, err
	}
	log.Hasty = true
	p.log = &log
	return p, nil
}

// same says whether another configuration differs in the filters alone, which can
// change while it serves, and names what else does.
func (s *serveConfig) same(other *serveConfig) (differs []string) {
	note := func(key string, equal bool) {
		if !equal {
			differs = append(differs, key)
		}
	}
	note("hooks", s.Hooks == other.Hooks)
	note("buffer", s.Buffer == other.Buffer)
	note("nice", s.Nice == other.Nice)
	note("self_test", s.SelfTest == other.SelfTest)
	note("drain", s.Drain == other.Drain)
	note("user", s.User == other.User)
	note("looks", s.Looks == other.Looks)
	note("metrics", s.Metrics == other.Metrics)
	note("record", s.Record == other.Record)
	note("containers", s.Containers == other.Containers)
	note("otlp", reflect.DeepEqual(s.OTLP, other.OTLP))
	return differs
}
