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
		Short: "Who makes which System V IPC object in which IPC namespace, live",
		Long: `ipctrace hooks msgget, shmget and semget in the kernel and shows, for each IPC
namespace, which objects come to be and who made them. Without a command it is
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
	root.AddCommand(live, newProve(), newParty(), newLs(), newNS(), newDoctor())
	return root
}
