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
	return exit(command, err, stderr)
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
privileges cannot (see "ipctrace doctor").`,
		Args:          live.Args,
		RunE:          live.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.Flags().AddFlagSet(live.Flags())
	root.PersistentFlags().Bool("no-color", false, "no colour (NO_COLOR in the environment does the same)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(live, newRun(), newProve(), newParty(), newLs(), newNS(), newRecord(), newReplay(), newReport(), newVerify(), newKeygen(), newServe(), newDoctor())
	return root
}
