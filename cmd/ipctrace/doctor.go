package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/moby/sys/capability"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newDoctor() *cobra.Command {
	var out output
	var weigh bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "What this kernel, these privileges and these hooks let it see",
		Long: `doctor loads and attaches every hook for real, one by one, looks at each
capability, and says what the tier that would be used cannot see and what to do.
With --overhead it also measures what tracing costs this machine: it makes some hundred
thousand system calls that make nothing, in an IPC namespace of its own.

Exit status: 0 it can trace · 2 wrong usage · 3 it cannot.`,
		Example: `  sudo ipctrace doctor
  sudo ipctrace doctor --overhead
  sudo ipctrace doctor --json | jq -r .tier`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			asJSON, err := out.isJSON()
			if err != nil {
				return err
			}
			d := examine()
			if weigh && d.Tier != "" {
				if d.Overhead, err = weighed(c.Context()); err != nil {
					return err
				}
			}
			if asJSON {
				err = writeJSON(c.OutOrStdout(), d)
			} else {
				err = d.write(c.OutOrStdout(), view.Options{Color: colored(c.Flags(), c.OutOrStdout())})
			}
			if err == nil && d.Tier == "" {
				return fmt.Errorf("%w: %w", errCannot, d.err)
			}
			return err
		},
	}
	command.Flags().BoolVar(&weigh, "overhead", false, "also measure what it costs, in some two seconds")
	out.add(command.Flags())
	return command
}

// diagnosis is what doctor found. Its field names are those of --json.
type diagnosis struct {
	Kernel       string            `json:"kernel"`
	Arch         string            `json:"arch"`
	BTF          bool              `json:"btf"`
	Lockdown     string            `json:"lockdown"` // "" where it cannot be read
	Hooks        []hookFinding     `json:"hooks"`
	InitialUser  bool              `json:"initial_user_namespace"`
	Capabilities []capabilityState `json:"capabilities"`
	Confinement  []privilege.Means `json:"confinement"` // of serve, once it has attached
	Tier         string            `json:"tier"`        // that would be used; "": none
	Error        string            `json:"error"`
	Gaps         []string          `json:"gaps"`
	Advice       []string          `json:"advice"`
	Overhead     *overhead         `json:"overhead,omitempty"` // where it was asked for

	err error
}

// initialUserNamespace is PROC_USER_INIT_INO, include/linux/proc_ns.h.
const initialUserNamespace = "user:[4026531837]"

type hookFinding struct {
	Tier     string `json:"tier"` // "": either uses it
	Function string `json:"function"`
	At       string `json:"at"` // "entry" "exit"; "": of a tracepoint
	Attached bool   `json:"attached"`
	Error    string `json:"error"`
	Without  string `json:"without"` // what is not seen without it; "": its tier is nothing without it
}

type capabilityState struct {
	Name    string `json:"name"`
	Held    bool   `json:"held"`
	Task    string `json:"task"` // of docs/privileges.md
	Needs   string `json:"for"`
	Without string `json:"without"`
}

func examine() *diagnosis {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails only for a bad pointer
	d := &diagnosis{
		Kernel: unix.ByteSliceToString(name.Release[:]), Arch: unix.ByteSliceToString(name.Machine[:]),
		Hooks: []hookFinding{}, Gaps: []string{}, Advice: []string{},
	}
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	d.BTF = err == nil
	if text, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil {
		d.Lockdown = strings.TrimSpace(string(text))
	}
	user, err := os.Readlink("/proc/self/ns/user")
	d.InitialUser = err != nil || user == initialUserNamespace
	d.readCapabilities()
	d.Confinement = privilege.Kernel()
	d.tryHooks()
	d.advise()
	return d
}

func (d *diagnosis) readCapabilities() {
	for _, n := range privilege.Needs {
		d.Capabilities = append(d.Capabilities, capabilityState{
			Name: privilege.Name(n.Cap), Held: privilege.Holds(n.Cap), Task: string(n.Task), Needs: n.For, Without: n.Without,
		})
	}
}

// tryHooks tries each hook, then what live would do.
func (d *diagnosis) tryHooks() {
	tried, err := tracer.Probe()
	d.err = err
	for _, h := range tried {
		f := hookFinding{Function: h.Function, At: h.At, Attached: h.Err == nil, Without: h.Without}
		if h.Tier != tracer.Auto {
			f.Tier = h.Tier.String()
		}
		if h.Err != nil {
			f.Error = h.Err.Error()
		}
		d.Hooks = append(d.Hooks, f)
	}
	if err == nil {
		var tr *tracer.Tracer
		if tr, d.err = tracer.Open(tracer.Config{Cgroup: func(uint64, string) {}}); d.err == nil {
			d.Tier, d.Gaps = tr.Tier().String(), append(d.Gaps, tr.Gaps()...)
			tr.Close()
		}
	}
	if d.err != nil {
		d.Error = d.err.Error()
	}
}

func (d *diagnosis) advise() {
	add := func(when bool, text string) {
		if when {
			d.Advice = append(d.Advice, text)
		}
	}
	add(!d.BTF, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y (all current distributions' are)")
	add(!d.InitialUser, "run it outside of this user namespace: in a container, as a privileged one")
	add(errors.Is(d.err, tracer.ErrPrivilege) && d.InitialUser,
		"run with sudo, or grant the file CAP_BPF and CAP_PERFMON: setcap "+hookCapabilities+"+ep ipctrace")
	add(d.Tier != "" && !initialPIDs() && !privilege.Holds(capability.CAP_SYS_PTRACE),
		"for the names of other users' namespaces: also CAP_SYS_PTRACE")
	add(d.Tier != "" && !privilege.Holds(capability.CAP_SYS_ADMIN),
		"for what is in other namespaces before a trace begins, for ls and prove: also CAP_SYS_ADMIN")
	add(d.Tier == tracer.Syscall.String(),
		"the syscall tier adds a little to every system call of the machine; "+
			"the fentry tier does not: it needs BPF trampolines (amd64 from 5.5, arm64 from 6.4)")
}

func (d *diagnosis) write(w io.Writer, opts view.Options) error {
	fmt.Fprintf(w, "kernel   %s %s\n", view.Safe(d.Kernel, view.Whole), view.Safe(d.Arch, view.Whole))
	if d.Lockdown != "" {
		fmt.Fprintf(w, "lockdown %s\n", view.Safe(d.Lockdown, view.Whole))
	}
	checks := []view.Check{{Name: "BTF", OK: d.BTF, Detail: "/sys/kernel/btf/vmlinux"}}
	for _, h := range d.Hooks {
		detail := "attached"
		if !h.Attached {
			detail = h.Error
		}
		checks = append(checks, view.Check{Name: strings.TrimSpace(h.Tier + " " + h.Function + " " + h.At), OK: h.Attached, Detail: detail})
	}
	checks = append(checks, view.Check{
		Name: "initial user namespace", OK: d.InitialUser, Detail: "capabilities of another one do not count for hooks",
	})
	for _, c := range d.Capabilities {
		checks = append(checks, view.Check{Name: c.Name, OK: c.Held, Detail: c.Needs + "; without: " + c.Without})
	}
	for _, c := range d.Confinement {
		checks = append(checks, view.Check{Name: c.Name, OK: c.There, Detail: c.Use})
	}
	if err := view.Checks(w, checks, opts); err != nil {
		return err
	}
	tier := d.Tier + " tier"
	if d.Tier == "" {
		tier = "none: it cannot trace here"
	}
	fmt.Fprintf(w, "\nhooks in use: %s\n", tier)
	writeList(w, "\nwhat it cannot see here:", d.Gaps)
	writeList(w, "\nwhat to do:", d.Advice)
	if d.Overhead != nil {
		d.Overhead.write(w)
	}
	return nil
}

func writeList(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, title)
	for _, line := range lines {
		fmt.Fprintf(w, "- %s\n", line)
	}
}
