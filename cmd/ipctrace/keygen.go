package main

import (
	"fmt"

	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/spf13/cobra"
)

func newKeygen() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key that record signs seals with",
		Long: `keygen makes an Ed25519 key: the secret half in FILE, for "ipctrace record --sign",
the public half in FILE.pub, for "ipctrace verify --key". Both are PEM files as openssl
reads them. Keep the secret half where who could alter the log does not get it. A file
that is there is not written over. On stdout it prints the public half as 64 hexadecimal
digits.

Exit status: 0 done · 1 the key could not be written · 2 wrong usage.`,
		Example: `  ipctrace keygen key
  sudo ipctrace record -o signed.jsonl --sign key --duration 3s
  ipctrace verify --key key.pub signed.jsonl`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("one file: ipctrace keygen FILE")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			public, err := journal.NewKey(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%x\n", public)
			return err
		},
	}
}
