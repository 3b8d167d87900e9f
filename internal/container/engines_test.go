package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func listen(t *testing.T) (socket string, l net.Listener) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return socket, l
}

// dockerd is a Docker daemon that answers to GET /containers/ID/json as the test says.
func dockerd(t *testing.T, answer http.HandlerFunc) (socket string) {
	t.Helper()
	socket, l := listen(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/{id}/json", answer)
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return socket
}

// names asks engines of the test's own.
func names(t *testing.T, s Sockets) *Names {
	t.Helper()
	n, err := Open(s, func() {})
	if err != nil {
		t.Fatal(err)
	}
	n.patience = 500 * time.Millisecond
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestDocker(t *testing.T) {
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, strings.ReplaceAll(s, "ID", r.PathValue("id")))
		}
	}
	stall := make(chan struct{})
	defer close(stall)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   Info
		become Stats // but Asked
	}{
		{"a container", text(`{"Id":"ID","Name":"/db","Config":{"Image":"postgres:17","Labels":{"a":"b"}},"State":{"Pid":1}}`),
			Info{Name: "db", Image: "postgres:17"}, Stats{Answered: 1}},
		{"of a pod", text(`{"Id":"ID","Name":"/k8s_db_db-0_default_1_0","Config":{"Image":"postgres:17","Labels":{
			"io.kubernetes.container.name":"db","io.kubernetes.pod.name":"db-0","io.kubernetes.pod.namespace":"default"}}}`),
			Info{Name: "db", Image: "postgres:17", Pod: "db-0", PodNamespace: "default"}, Stats{Answered: 1}},
		{"names with escapes", text(`{"Id":"ID","Name":"/\u001b[2J\u202e\n","Config":{"Image":"` + "\xff" + `"}}`),
			Info{Name: "\x1b[2J\u202e\n", Image: "\ufffd"}, Stats{Answered: 1}},
		{"no more than its id", text(`{"Id":"ID"}`), Info{}, Stats{Answered: 1}},
		{"none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, Info{}, Stats{Unknown: 1}},
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, Info{}, Stats{Failed: 1}},
		{"another container", text(`{"Id":"` + idOf(9) + `","Name":"/db"}`), Info{}, Stats{Failed: 1}},
		{"garbage", text("\x00\xff{"), Info{}, Stats{Failed: 1}},
		{"of other types", text(`{"Id":"ID","Name":["db"]}`), Info{}, Stats{Failed: 1}},
		{"half an answer", text(`{"Id":"ID","Name":"/db"`), Info{}, Stats{Failed: 1}},
		{"deep", text(`{"Id":"ID","x":` + strings.Repeat("[", 1<<19)), Info{}, Stats{Failed: 1}},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, Info{}, Stats{Failed: 1}},
		{"silence", func(http.ResponseWriter, *http.Request) { <-stall }, Info{}, Stats{Failed: 1}},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"Name":"`)
			for err := error(nil); err == nil; {
				_, err = w.Write(bytes.Repeat([]byte("x"), 1<<16))
			}
		}, Info{}, Stats{Failed: 1}},
		{"endless and slow", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, Info{}, Stats{Failed: 1}},
		{"headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, Info{}, Stats{Failed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := names(t, Sockets{Docker: "unix://" + dockerd(t, test.answer)})
			if diff := cmp.Diff(test.want, n.name(t, idOf(1), "docker")); diff != "" {
				t.Error(diff)
			}
			test.become.Asked = 1
			if diff := cmp.Diff(test.become, n.Stats()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestComes: an engine that is not there is asked again, and then is.
func TestComes(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	n := names(t, Sockets{Docker: socket, CRI: socket + ".cri"})
	c := &clock{at: time.Now()}
	n.now = c.now
	if info := n.name(t, idOf(1), "docker"); info != (Info{}) || n.Stats().Failed != 1 {
		t.Fatalf("%+v, %+v", info, n.Stats())
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"Id":%q,"Name":"/late"}`, idOf(1))
	})}
	go server.Serve(l)
	defer server.Close()
	c.advance(late)
	if info := n.name(t, idOf(1), "docker"); info.Name != "late" {
		t.Errorf("%+v, %+v", info, n.Stats())
	}
}

// fakeCRI is an engine that speaks CRI.
type fakeCRI struct {
	cri.UnimplementedRuntimeServiceServer
	containers map[string]*cri.ContainerStatus
	of         map[string]string // the sandbox of a container
	sandboxes  map[string]*cri.PodSandboxStatus
	before     func(context.Context) error
}

func (f *fakeCRI) ContainerStatus(ctx context.Context, r *cri.ContainerStatusRequest) (*cri.ContainerStatusResponse, error) {
	if f.before != nil {
		if err := f.before(ctx); err != nil {
			return nil, err
		}
	}
	if c, ok := f.containers[r.ContainerId]; ok {
		return &cri.ContainerStatusResponse{Status: c}, nil
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

func (f *fakeCRI) ListContainers(_ context.Context, r *cri.ListContainersRequest) (*cri.ListContainersResponse, error) {
	var all []*cri.Container
	for id, pod := range f.of {
		if strings.HasPrefix(id, r.GetFilter().GetId()) {
			all = append(all, &cri.Container{Id: id, PodSandboxId: pod})
		}
	}
	return &cri.ListContainersResponse{Containers: all}, nil
}

func (f *fakeCRI) PodSandboxStatus(_ context.Context, r *cri.PodSandboxStatusRequest) (*cri.PodSandboxStatusResponse, error) {
	if s, ok := f.sandboxes[r.PodSandboxId]; ok {
		return &cri.PodSandboxStatusResponse{Status: s}, nil
	}
	return nil, status.Error(codes.NotFound, "no such sandbox")
}

func serveCRI(t *testing.T, f *fakeCRI) (socket string) {
	t.Helper()
	socket, l := listen(t)
	server := grpc.NewServer()
	cri.RegisterRuntimeServiceServer(server, f)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return socket
}

func TestCRI(t *testing.T) {
	labelled := map[string]string{labelPod: "db-0", labelPodNamespace: "default"}
	f := &fakeCRI{
		containers: map[string]*cri.ContainerStatus{
			idOf(1): {Id: idOf(1), Metadata: &cri.ContainerMetadata{Name: "db"}, Image: &cri.ImageSpec{Image: "postgres:17"}, Labels: labelled},
			idOf(2): {Id: idOf(2), Metadata: &cri.ContainerMetadata{Name: "db"}, Image: &cri.ImageSpec{Image: "sha256:1", UserSpecifiedImage: "postgres:17"}},
			idOf(3): {Id: idOf(3), ImageRef: "sha256:1"},
			idOf(4): {Id: idOf(9)},
			idOf(7): {Id: idOf(7), Metadata: &cri.ContainerMetadata{Name: "\x1b]0;x\a"}, Labels: map[string]string{"x": strings.Repeat("x", maxBytes)}},
			idOf(8): {Id: idOf(8), Metadata: &cri.ContainerMetadata{Name: "\x1b]0;x\a"}},
		},
		of: map[string]string{idOf(2): idOf(5), idOf(3): idOf(99)},
		sandboxes: map[string]*cri.PodSandboxStatus{
			idOf(5): {Id: idOf(5), Metadata: &cri.PodSandboxMetadata{Name: "db-0", Namespace: "default"}},
			idOf(6): {Id: idOf(9)},
		},
	}
	for id, test := range map[int]struct {
		name   string
		want   Info
		become Stats
	}{
		1: {"a kubelet's", Info{"db", "postgres:17", "db-0", "default"}, Stats{Answered: 1}},
		2: {"another one's", Info{"db", "postgres:17", "db-0", "default"}, Stats{Answered: 1}},
		3: {"whose sandbox is gone", Info{Image: "sha256:1"}, Stats{Answered: 1}},
		4: {"another container", Info{}, Stats{Failed: 1}},
		5: {"a sandbox", Info{Pod: "db-0", PodNamespace: "default"}, Stats{Answered: 1}},
		6: {"another sandbox", Info{}, Stats{Failed: 1}},
		7: {"too long an answer", Info{}, Stats{Failed: 1}},
		8: {"a name with escapes", Info{Name: "\x1b]0;x\a"}, Stats{Answered: 1}},
		9: {"none", Info{}, Stats{Unknown: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := names(t, Sockets{CRI: serveCRI(t, f)})
			if diff := cmp.Diff(test.want, n.name(t, idOf(id), "containerd")); diff != "" {
				t.Error(diff)
			}
			test.become.Asked = 1
			if diff := cmp.Diff(test.become, n.Stats()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCRIHostile: an engine that does not speak CRI, or not in time.
func TestCRIHostile(t *testing.T) {
	stalled := serveCRI(t, &fakeCRI{before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
	refusing := serveCRI(t, &fakeCRI{before: func(context.Context) error { return errors.New(strings.Repeat("\x1b", 1<<12)) }})
	raw := func(talk func(net.Conn)) string {
		socket, l := listen(t)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); talk(c) }()
			}
		}()
		return socket
	}
	for name, socket := range map[string]string{
		"stalled": stalled, "refusing": refusing,
		"hanging up": raw(func(net.Conn) {}),
		"silent":     raw(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }),
		"garbage": raw(func(c net.Conn) {
			for err := error(nil); err == nil; {
				_, err = c.Write(bytes.Repeat([]byte{0xff}, 1<<16))
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			n := names(t, Sockets{CRI: socket})
			if info := n.name(t, idOf(1), "cri-o"); info != (Info{}) || n.Stats().Failed != 1 {
				t.Errorf("%+v, %+v", info, n.Stats())
			}
		})
	}
}

// FuzzDocker: whatever the daemon says is an answer about the container that was asked
// for, or an error.
func FuzzDocker(f *testing.F) {
	for _, s := range []string{`{"Id":"ID","Name":"/db","Config":{"Image":"i","Labels":{"io.kubernetes.pod.name":"p"}}}`, `{}`, `[]`, "\xff"} {
		f.Add([]byte(strings.ReplaceAll(s, "ID", idOf(1))))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		info, err := readInspected(bytes.NewReader(answer), idOf(1))
		if err != nil && info != (Info{}) {
			t.Errorf("%+v, %v", info, err)
		}
		for _, s := range []string{info.bounded().Name, info.bounded().Image, info.bounded().Pod} {
			if len(s) > maxImage || strings.ToValidUTF8(s, "") != s {
				t.Errorf("%q", s)
			}
		}
	})
}
