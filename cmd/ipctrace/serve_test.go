package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"
)

// TestKernelServe: what a process makes is counted, recorded and gone again, and the
// two outputs agree.
func TestKernelServe(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	file := filepath.Join(t.TempDir(), "log")
	d := serveHere(t, "--record", file, "--self-test", "--comm", mine)
	h := holdMaker(t, "-comm", mine, "keep", "shmget:0:4096:0600", "keep", "shmget:0:8192:0600", "keep", "semget:0:3:0600", "msgget:0:0600")
	var s series
	d.await("two segments", func() bool {
		s = d.scrape()
		return s.sum("ipctrace_objects", "kind=shm") == 2 && s.sum("ipctrace_objects", "kind=sem") == 1
	})
	if bytes := s.sum("ipctrace_object_bytes", "kind=shm"); bytes != 12288 {
		t.Errorf("%v bytes", bytes)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := d.get(path); status != http.StatusOK || string(body) != "ok\n" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	h.end()
	d.await("none", func() bool { s = d.scrape(); return s.sum("ipctrace_objects", "kind=shm") == 0 })
	s.addsUp(t)
	d.await("all is recorded", func() bool {
		s = d.scrape()
		return s.sum("ipctrace_output_delivered_total", "output=record") == s.happened()
	})
	d.end(exitDone)
	var recorded float64
	for _, e := range recordedIn(t, file) {
		if e.Event.IsObject() || e.Event.IsNamespace() {
			recorded++
		}
	}
	if recorded < s.happened() {
		t.Errorf("%v recorded, %v counted", recorded, s.happened())
	}
}

// recordedIn are the events of a log that is whole.
func recordedIn(t *testing.T, file string) (all []*event.Event) {
	t.Helper()
	if out, err := exec.Command("ipctrace", "verify", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for line, err := range journal.Lines(file) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, line.Text))
	}
	return all
}

// TestServeReload: other filters hold from SIGHUP on, in a trace of its own in the same
// log, and nothing is missed in between; a file that is wrong changes nothing.
func TestServeReload(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	dir := t.TempDir()
	file, config := filepath.Join(dir, "log"), filepath.Join(dir, "c.yaml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("filters: {kind: [msg]}\nrecord: {file: " + file + "}")
	d := serveHere(t, "--config", config)
	h := holdMaker(t, "-comm", mine, "keep", "semget:0:1:0600") // of which the first trace says nothing
	defer h.end()
	runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600", "semget:0:1:0600")
	d.await("one queue", func() bool { return d.scrape().sum("ipctrace_events_total", "kind=msg") > 0 })

	write("filters: {kind: [sem]}\nrecord: {file: " + file + "}\nhooks: fentry")
	d.signal(syscall.SIGHUP)
	d.await("reloaded", func() bool { return strings.Contains(d.words(), "reloaded: filters: --kind=sem") })
	if !strings.Contains(d.words(), "reload: to be changed takes a restart: hooks") {
		t.Error(d.words())
	}
	d.await("another trace", func() bool { return d.scrape().sum("ipctrace_events_total", "event=trace.start") == 2 })
	runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600", "semget:0:1:0600")
	d.await("the set that was there, and another", func() bool {
		s := d.scrape()
		made := s.sum("ipctrace_events_total", "kind=sem", "event=object.create") + s.sum("ipctrace_events_total", "kind=sem", "event=object.get")
		return made >= 1 && s.sum("ipctrace_events_total", "kind=sem", "event=object.found") >= 1 && s.sum("ipctrace_objects", "kind=sem") > 0
	})

	write("filters: {kinds: [sem]}")
	d.signal(syscall.SIGHUP)
	d.await("refused", func() bool { return strings.Contains(d.words(), `not reloaded: `+config+`:1: unknown field "kinds"`) })
	d.end(exitDone)

	var traces [][]*event.Event
	for _, e := range recordedIn(t, file) {
		if e.Event == event.TraceStart {
			traces = append(traces, nil)
		}
		i := len(traces) - 1
		traces[i] = append(traces[i], e)
	}
	if len(traces) != 2 {
		t.Fatalf("%d traces", len(traces))
	}
	for i, kind := range []string{"msg", "sem"} {
		for _, e := range traces[i] {
			if e.Object != nil && e.Object.Kind != kind {
				t.Errorf("trace %d has %+v", i, e.Object)
			}
		}
		if start := traces[i][0].Start; len(start.Filters) != 1 || start.Filters[0] != "--kind="+kind {
			t.Errorf("trace %d: %v", i, start.Filters)
		}
		for _, e := range traces[i] {
			if s := e.Stop; s != nil && (s.Produced != s.Delivered+s.Lost || s.Delivered+s.Found < s.Written) {
				t.Errorf("trace %d: %+v", i, s)
			}
		}
	}
}

// TestServeWeb: TLS and passwords are those of Prometheus' own exporters.
func TestServeWeb(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	pool := certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	web := filepath.Join(dir, "web.yml")
	text := fmt.Sprintf("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {prometheus: %q}\n", hash)
	if err := os.WriteFile(web, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serveHere(t, "--web-config", web)
	if status, _ := d.get("/metrics"); status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", status)
	}
	secure := "https" + strings.TrimPrefix(d.url, "http")
	if _, err := http.Get(secure + "/metrics"); err == nil {
		t.Error("a certificate of nobody that is trusted was taken")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for password, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, "right": http.StatusOK} {
		request, err := http.NewRequest(http.MethodGet, secure+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			request.SetBasicAuth("prometheus", password)
		}
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("password %q: %d, want %d", password, r.StatusCode, want)
		}
	}
	d.end(exitDone)
}

// certificate makes cert.pem and key.pem for 127.0.0.1, and a pool that trusts them.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": certPEM, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool
}

// TestServeLosing: who loses events is not ready, says so, and its account adds up.
func TestServeLosing(t *testing.T) {
	kerneltest.NeedRoot(t)
	d := serveHere(t, "--buffer", "64K")
	runMaker(t, 64, "-unshare", "-repeat", "200000", "msgget:7:01600")
	d.await("not ready", func() bool {
		status, body := d.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), "events were lost")
	})
	if status, _ := d.get("/healthz"); status != http.StatusOK {
		t.Errorf("it is alive: %d", status)
	}
	s := d.scrape()
	s.addsUp(t)
	if s.sum("ipctrace_events_lost_total", "stage=ring") == 0 {
		t.Error("nothing was lost")
	}
	d.end(exitDone)
}

// TestServeDiskFull: a log that has no room holds up nothing else, and what it loses
// is counted.
func TestServeDiskFull(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("ipctrace-test", dir, "tmpfs", 0, "size=1048576,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("record: {file: "+dir+"/log, queue: 64K}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serveHere(t, "--config", config)
	runMaker(t, 64, "-unshare", "-repeat", "20000", "msgget:7:01600")
	var s series
	d.await("all is counted, and some not recorded", func() bool {
		s = d.scrape()
		return s.sum("ipctrace_events_total", "event=object.remove")+s.sum("ipctrace_events_total", "event=object.create")+
			s.sum("ipctrace_events_total", "event=object.get") >= 20000 && s.sum("ipctrace_events_lost_total", "stage=record") > 0
	})
	s.addsUp(t)
	delivered, waiting, lost := s.sum("ipctrace_output_delivered_total"), s.sum("ipctrace_output_waiting"), s.sum("ipctrace_events_lost_total", "stage=record")
	if told := s.happened(); told != delivered+waiting+lost {
		t.Errorf("%v told, %v recorded, %v waiting, %v lost", told, delivered, waiting, lost)
	}
	d.end(exitFinding)
}

// TestServeNotify: systemd is told when it is ready, that it lives, that it reads its
// configuration, and that it ends.
func TestServeNotify(t *testing.T) {
	kerneltest.NeedRoot(t)
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &serving{t: t, client: http.DefaultClient, over: make(chan struct{})}
	d.cmd = exec.Command("ipctrace", "serve", "--listen", "127.0.0.1:0", "--self-test")
	d.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=300000")
	d.start()
	next := func(want string) {
		t.Helper()
		buf := make([]byte, 4096)
		for {
			if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := l.Read(buf)
			if err != nil {
				t.Fatalf("no %q: %v", want, err)
			}
			if strings.Contains(string(buf[:n]), want) {
				return
			}
		}
	}
	next("READY=1\nSTATUS=")
	next("WATCHDOG=1")
	d.signal(syscall.SIGHUP)
	next("RELOADING=1\nMONOTONIC_USEC=")
	next("READY=1")
	next("WATCHDOG=1")
	d.end(exitDone)
	next("STOPPING=1")
}

// TestServeNamespaces: thousands of namespaces that come and go leave no series
// behind, and there are never more than was said.
func TestServeNamespaces(t *testing.T) {
	kerneltest.NeedRoot(t)
	const most, namespaces = 10, 10_000
	d := serveHere(t, "--max-namespaces", fmt.Sprint(most), "--pid", fmt.Sprint(os.Getpid()))
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: it ends with the goroutine
		for range namespaces {
			if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
				done <- err
				return
			}
			if _, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0); errno != 0 {
				done <- errno
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-time.After(100 * time.Millisecond):
		}
		s := d.scrape()
		if own := len(s["ipctrace_namespace_info"].GetMetric()); own > most {
			t.Fatalf("%d namespaces have series of their own", own)
		}
		if all := len(s["ipctrace_objects"].GetMetric()); all > (most+1)*4 {
			t.Fatalf("%d series of objects", all)
		}
	}
	var s series
	d.await("every queue was told or lost", func() bool {
		s = d.scrape()
		return s.sum("ipctrace_events_total", "kind=msg", "event=object.create")+s.sum("ipctrace_events_lost_total") >= namespaces
	})
	s.addsUp(t)
	d.await("they are gone", func() bool {
		s = d.scrape()
		return s.sum("ipctrace_namespaces") <= most && s.sum("ipctrace_objects", "kind=msg") <= most
	})
	d.end(exitDone)
}

// TestServeScrapes: many who scrape, while there is a flood, are answered or told to
// come back, and cost no event.
func TestServeScrapes(t *testing.T) {
	kerneltest.NeedRoot(t)
	d := serveHere(t, "--comm", mine)
	stop := make(chan struct{})
	var scrapers sync.WaitGroup
	for range 12 {
		scrapers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := http.Get(d.url + "/metrics")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d", r.StatusCode)
				}
			}
		})
	}
	runMaker(t, 64, "-unshare", "-comm", mine, "-repeat", "50000", "msgget:7:01600")
	close(stop)
	scrapers.Wait()
	var s series
	d.await("all has come", func() bool {
		s = d.scrape()
		return s.happened()+s.sum("ipctrace_events_lost_total") >= 50000
	})
	s.addsUp(t)
	d.end(exitDone)
}

// TestServeReaderGone: a log that is a pipe which nobody reads any more holds up
// nothing, what it loses is counted, and the daemon is not ready.
func TestServeReaderGone(t *testing.T) {
	kerneltest.NeedRoot(t)
	fifo := filepath.Join(t.TempDir(), "log")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := serveHere(t, "--record", fifo, "--comm", mine)
	reader.Close()
	const said = "broken pipe: what comes now is lost"
	d.await("an end", func() bool {
		runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600")
		return strings.Contains(d.words(), said)
	})
	d.await("what was told is recorded or lost", func() bool {
		s := d.scrape()
		return s.sum("ipctrace_events_lost_total", "stage=record") > 0 && s.sum("ipctrace_output_waiting") == 0 && s.happened() == s.sum("ipctrace_output_delivered_total")+s.sum("ipctrace_events_lost_total", "stage=record")
	})
	d.await("not ready", func() bool { status, _ := d.get("/readyz"); return status == http.StatusServiceUnavailable })
	if n := strings.Count(d.words(), said); n != 1 {
		t.Errorf("said %d times: %s", n, d.words())
	}
	d.end(exitFinding)
}

// TestServeClients: whoever connects, and says nothing, takes no more than a few file
// descriptors, which the trace needs.
func TestServeClients(t *testing.T) {
	kerneltest.NeedRoot(t)
	d := serveHere(t, "--comm", mine)
	address := strings.TrimPrefix(d.url, "http://")
	idle := make([]net.Conn, 3*mostClients)
	for i := range idle {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle[i] = c
	}
	open := func() int {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	d.await("clients", func() bool { return open() >= mostClients })
	if n := open(); n > 2*mostClients {
		t.Errorf("%d files are open", n)
	}
	for _, c := range idle {
		c.Close()
	}
	d.await("room", func() bool { status, _ := d.get("/healthz"); return status == http.StatusOK })
	d.end(exitDone)
}
