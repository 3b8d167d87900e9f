package stream_test

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestNames: an event does not wait for the name of its container; later ones have it,
// and those that were told stay as they are.
func TestNames(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-asked
		_ = json.NewEncoder(w).Encode(map[string]any{"Id": idA, "Name": "/web", "Config": map[string]any{"Image": "nginx:1"}})
	})}
	go server.Serve(l)
	defer server.Close()
	names, err := container.Open(container.Sockets{Docker: socket}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	s := begin(stream.Filter{})
	s.NameContainers(names)
	at := func(boot time.Duration) *tracer.Event {
		return in(call(tracer.Msg, tracer.ActionOpen), inode, 53254, boot)
	}
	first := s.one(t, at(time.Hour))
	close(asked)
	names.Wait(t.Context())
	second := s.one(t, at(time.Hour+time.Second))
	third := s.one(t, at(time.Hour+2*time.Second))
	bare := event.Container{ID: idA, Runtime: "docker"}
	full := event.Container{ID: idA, Runtime: "docker", Name: "web", Image: "nginx:1"}
	check(t, []event.Container{bare, full, full}, []event.Container{*first.Container, *second.Container, *third.Container})
	if second.Container != third.Container {
		t.Error("two events do not share what is the same")
	}
	none := at(time.Hour)
	none.CgroupID = cgroup + 2
	if e := s.one(t, none); e.Container != nil {
		t.Errorf("%+v", e.Container)
	}
}
