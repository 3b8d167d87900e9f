package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
)

// run is the program: its exit status is what it returns.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	return exit(command, args, err, stderr)
}

func newRoot() *cobra.Command {
	live := newLive()
	root := &cobra.Command{
		Use:   "ipctrace",
		Short: "Which IPC objects there are in which IPC namespace, and who makes and removes them",
		Long: `ipctrace hooks the kernel where message queues, shared memory segments, semaphore
sets and IPC namespaces are made and unmade, and shows by namespace what is there,
what comes to be, who made it and why it went. Without a command it is
"ipctrace live".

Exit status: 0 done · 1 a finding · 2 wrong usage · 3 this kernel or these
privileges cannot (see "ipctrace doctor").

Environment:
  NO_COLOR  when it is set, no colours: as --no-color
  TERM      "dumb" is no terminal for colours and screens
  GOGC      how many percent the heap may grow by between collections; without
            it ipctrace chooses, for few events to be lost and little memory
  GOMAXPROCS, GOMEMLIMIT
            as for all programs in Go

Files:
  /sys/kernel/btf/vmlinux
            the kernel's own types, without which no hook can be loaded
  /etc/ipctrace/serve.yaml
            what the systemd unit has "ipctrace serve" read
  PREFIX/share/doc/ipctrace/docs
            where docs/events.md and the other pages that are named here are`,
		Example: `  sudo ipctrace                       # the screen; Ctrl-C ends it
  sudo ipctrace --no-host | cat       # what happens in containers, a line each
  sudo ipctrace doctor                # what can be seen on this machine
  sudo ipctrace prove                 # that IPC namespaces isolate on this kernel`,
		Version:       version(),
		Args:          live.Args,
		RunE:          live.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.Flags().AddFlagSet(live.Flags())
	root.PersistentFlags().Bool("no-color", false, "no colour (NO_COLOR in the environment does the same)")
	root.SetUsageFunc(writeUsage)
	root.SetHelpCommand(newHelp())
	root.AddCommand(live, newRun(), newProve(), newParty(), newLs(), newNS(), newRecord(), newReplay(), newReport(), newVerify(),
		newKeygen(), newServe(), newDoctor(), newCompletion(), newVersion())
	completeFlags(root)
	return root
}
