package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/spf13/cobra"
)

func newNS() *cobra.Command {
	var out output
	var engines container.Sockets
	command := &cobra.Command{
		Use:   "ns [PID…]",
		Short: "IPC namespaces and who is in them; with PIDs: which namespace links differ",
		Long: `ns lists the IPC namespaces of this machine: who is in each, which containers that
are, and what keeps it besides processes. With process numbers it shows all
namespace links of these processes side by side, and which of them differ.

Exit status: 0 done · 2 wrong usage, or no such process · 3 these privileges
cannot read the links of these processes.`,
		Example: `  sudo ipctrace ns             # all IPC namespaces
  sudo ipctrace ns 1 $$        # is this shell where the first process is?
  sudo ipctrace ns --json | jq -r '.[] | select(.initial | not) | .label'`,
		ValidArgsFunction: completePIDs,
		RunE: func(c *cobra.Command, args []string) error {
			asJSON, err := out.isJSON()
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return showLinks(c, args, asJSON)
			}
			return showNamespaces(c, engines, asJSON)
		},
	}
	out.add(command.Flags())
	addEngines(command.Flags(), &engines)
	return command
}

// jsonNamespace is an IPC namespace, for ns --json.
type jsonNamespace struct {
	Inode     uint64           `json:"inode"`
	Initial   bool             `json:"initial"`
	Label     string           `json:"label"`
	Container *event.Container `json:"container,omitempty"` // absent: its processes are not all in containers
	Processes []jsonProcess    `json:"processes"`
	Pins      []nsresolve.Pin  `json:"pins"`

	Containers []*event.Container `json:"containers"` // that its processes are in: several share it, in the initial one with the host
}

type jsonProcess struct {
	PID     int    `json:"pid"`
	PPID    int    `json:"ppid"`
	UID     uint32 `json:"uid"`
	Comm    string `json:"comm"`
	Threads []int  `json:"threads"` // of this process, those in the namespace
	Cgroup  string `json:"cgroup"`
}

func showNamespaces(c *cobra.Command, engines container.Sockets, asJSON bool) error {
	if err := checkEngines(engines); err != nil {
		return err
	}
	names, err := openNames(engines, c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer names.Close()
	resolver := nsresolve.New(nsresolve.Options{ContainerName: nameOf(names)})
	snapshot, err := resolver.Scan(c.Context())
	if err != nil {
		return err
	}
	all := make([]*nsresolve.Namespace, len(snapshot.Namespaces))
	for i := range all {
		all[i] = &snapshot.Namespaces[i]
	}
	awaitNames(c.Context(), names, resolver, all)
	tellHidden(c.ErrOrStderr(), snapshot.Unreadable, snapshot.UnreadableFDs, snapshot.Partial)
	if asJSON {
		return writeJSON(c.OutOrStdout(), jsonNamespaces(snapshot.Namespaces, names))
	}
	rows := make([]view.NamespaceRow, len(snapshot.Namespaces))
	for i, n := range snapshot.Namespaces {
		rows[i] = namespaceRow(n, names)
	}
	return view.Namespaces(c.OutOrStdout(), rows, view.Options{Color: colored(c.Flags(), c.OutOrStdout())})
}

const partialText = "this is a pid namespace: IPC namespaces that none of its processes is in are not listed"

// tellHidden says where a scan may have missed something, if it may.
func tellHidden(w io.Writer, processes, descriptors int, partial bool) {
	if partial {
		fmt.Fprintf(w, "ipctrace: %s: run it on the host, or with --pid=host\n", partialText)
	}
	if hidden := unreadable(processes, ""); hidden != "" {
		fmt.Fprintf(w, "ipctrace: %s\n", hidden)
	}
	if descriptors > 0 {
		fmt.Fprintf(w, "ipctrace: the descriptors of %s are not readable: pins may be missing\n",
			plural(descriptors, "process"))
	}
}

func namespaceRow(n nsresolve.Namespace, names *container.Names) view.NamespaceRow {
	row := view.NamespaceRow{
		Namespace: strconv.FormatUint(n.Inode, 10), Label: n.Label, Processes: len(n.Processes), Oldest: "-",
		Containers: labels(containersIn(&n, names)),
	}
	for i, p := range n.Processes {
		if i == 0 {
			row.Oldest = fmt.Sprintf("%s[%d]", p.Comm, p.PID)
		}
		row.Threads += len(p.Threads)
	}
	for _, pin := range n.Pins {
		row.Pins = append(row.Pins, fmt.Sprintf("%s %s", pin.Kind, pin.Path))
	}
	return row
}

func jsonNamespaces(namespaces []nsresolve.Namespace, names *container.Names) []jsonNamespace {
	out := []jsonNamespace{}
	for _, n := range namespaces {
		j := jsonNamespace{Inode: n.Inode, Initial: n.Initial, Label: n.Label, Processes: []jsonProcess{}, Pins: n.Pins}
		j.Containers = containersIn(&n, names)
		if n.Container != nil {
			named := stream.Contained(*n.Container, names)
			j.Container = &named
		}
		for _, p := range n.Processes {
			j.Processes = append(j.Processes, jsonProcess{
				PID: p.PID, PPID: p.PPID, UID: p.UID, Comm: p.Comm, Threads: p.Threads, Cgroup: p.Cgroup,
			})
		}
		out = append(out, j)
	}
	return out
}

// showLinks compares each process with the first.
func showLinks(c *cobra.Command, args []string, asJSON bool) error {
	pids, err := each(args, parsePID)
	if err != nil {
		return usagef("PID: %w", err)
	}
	resolver := nsresolve.New(nsresolve.Options{})
	var links []jsonLink
	for _, pid := range pids {
		pairs, err := resolver.Diff(int(pids[0]), int(pid))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return usagef("PID: no process %d or %d", pids[0], pid)
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%w: %w", errCannot, err)
		case err != nil:
			return err
		}
		links = joinLinks(links, pairs)
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), struct {
			PIDs  []uint32   `json:"pids"`
			Links []jsonLink `json:"links"`
		}{pids, links})
	}
	return view.Links(c.OutOrStdout(), args, linkRows(links), view.Options{Color: colored(c.Flags(), c.OutOrStdout())})
}

// joinLinks adds the second of each pair as a column. Both processes of all
// pairs are on one kernel, so the names are the same.
func joinLinks(links []jsonLink, pairs []nsresolve.Link) []jsonLink {
	if links == nil {
		for _, p := range pairs {
			links = append(links, jsonLink{Name: p.Name, Same: true})
		}
	}
	for i, p := range pairs {
		links[i].Values = append(links[i].Values, p.B)
		links[i].Same = links[i].Same && p.Same
	}
	return links
}
