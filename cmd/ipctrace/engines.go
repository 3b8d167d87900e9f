package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view/screen"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/spf13/pflag"
)

// addEngines are the flags that say who knows the names of containers.
func addEngines(f *pflag.FlagSet, s *container.Sockets) {
	f.StringVar(&s.Docker, "docker", s.Docker, "ask the Docker Engine API (or podman's) on this `SOCKET` for names of containers")
	f.StringVar(&s.CRI, "cri", s.CRI, "ask the container runtime of Kubernetes (CRI) on this `SOCKET` for names of containers and pods")
}

func checkEngines(s container.Sockets) error {
	if err := container.Check(s.Docker); err != nil {
		return refused("docker", ": %w", err)
	}
	if err := container.Check(s.CRI); err != nil {
		return refused("cri", ": %w", err)
	}
	return nil
}

// openNames begins to ask engines, and says which of them is not there.
func openNames(engines container.Sockets, stderr io.Writer) (*container.Names, error) {
	names, err := container.Open(engines, screen.GiveBack)
	if err != nil {
		return nil, err
	}
	for _, missing := range engines.Missing() {
		fmt.Fprintf(stderr, "ipctrace: %s\n", printable(missing))
	}
	return names, nil
}

// nameOf is what a resolver labels namespaces with.
func nameOf(names *container.Names) func(id, runtime string) string {
	if names == nil {
		return nil
	}
	return func(id, runtime string) string {
		c := stream.Contained(nsresolve.Container{ID: id, Runtime: runtime}, names)
		return c.Called()
	}
}

// noteCgroup takes note of a cgroup that was made. If it is a container's, its name is
// asked for at once: with luck it is there before anything happens in it.
func (t *trace) noteCgroup(id uint64, path string) {
	t.resolver.NoteCgroup(id, path)
	if t.names == nil {
		return
	}
	if c, ok := nsresolve.ParseCgroup(path); ok {
		t.names.Of(c.ID, c.Runtime)
	}
}

// containerLabel is what a container of an event is called by now.
func (t *trace) containerLabel(c *event.Container) string {
	if c.Called() == "" && t.names != nil {
		named := stream.Contained(nsresolve.Container{ID: c.ID, Runtime: c.Runtime}, t.names)
		return named.Label()
	}
	return c.Label()
}

// containerGone says whether that of a process is.
func (t *trace) containerGone(p *event.Process) bool { return t.resolver.ContainerGone(p.Cgroup) }

// askNames asks for those of the containers that are there.
func askNames(names *container.Names, found *snapshot.Snapshot) {
	if names == nil {
		return
	}
	for i := range found.Namespaces {
		containersIn(&found.Namespaces[i].Namespace, names)
	}
}

// containersIn are those that processes in a namespace are in, as far as they are named.
func containersIn(n *nsresolve.Namespace, names *container.Names) []*event.Container {
	all := []*event.Container{}
	for _, c := range n.Containers() {
		named := stream.Contained(c, names)
		all = append(all, &named)
	}
	return all
}

// labels of containers.
func labels(containers []*event.Container) []string {
	all := make([]string, len(containers))
	for i, c := range containers {
		all[i] = c.Label()
	}
	return all
}

// namesTime is how long a list waits for names at most.
const namesTime = 2 * time.Second

// awaitNames asks for the containers in namespaces, gives the engines time to answer, and
// labels the namespaces with what they said: for those who look but once.
func awaitNames(ctx context.Context, names *container.Names, resolver *nsresolve.Resolver, namespaces []*nsresolve.Namespace) {
	if names == nil {
		return
	}
	for _, n := range namespaces {
		containersIn(n, names)
	}
	ctx, cancel := context.WithTimeout(ctx, namesTime)
	defer cancel()
	names.Wait(ctx)
	for _, n := range namespaces {
		if n.Container != nil {
			n.Label = resolver.Label(n.Inode, nsresolve.Maker{})
		}
	}
}
