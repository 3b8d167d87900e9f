package kernels

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConsole(t *testing.T) {
	const begin = "SeaBIOS\r\nIPCTRACE-KERNEL 6.12.1\r\nIPCTRACE-START a\r\n"
	job := func(status int, output string) []JobResult {
		return []JobResult{{Name: "a", Status: status, Output: output}}
	}
	for name, tc := range map[string]struct {
		console string
		want    Result
		err     string // part of Result.Err
	}{
		"passed": {
			begin + "one\r\ntwo\r\n\r\nIPCTRACE-EXIT a 0\r\nIPCTRACE-DONE 512\r\n[    2.4] reboot: Power down\r\n",
			Result{Kernel: "6.12.1", Jobs: job(0, "one\ntwo\n"), Done: true, Tainted: 512}, "",
		},
		"failed": {
			begin + "\r\nIPCTRACE-EXIT a 137\r\nIPCTRACE-DONE 0\r\n",
			Result{Kernel: "6.12.1", Jobs: job(137, ""), Done: true}, "",
		},
		"output that looks like an end": {
			begin + "IPCTRACE-EXIT b 0\r\nIPCTRACE-EXIT a x\r\nIPCTRACE-DONE 0\r\n IPCTRACE-EXIT a 0\r\n\r\nIPCTRACE-EXIT a 1\r\nIPCTRACE-DONE 0\r\n",
			Result{Kernel: "6.12.1", Jobs: job(1, "IPCTRACE-EXIT b 0\nIPCTRACE-EXIT a x\nIPCTRACE-DONE 0\n IPCTRACE-EXIT a 0\n"), Done: true}, "",
		},
		"hung": {
			begin + "one\r\ntw",
			Result{Kernel: "6.12.1", Jobs: job(-1, "one\ntw")}, "ended before",
		},
		"panic within a line": {
			begin + "one[   12.345678] Kernel panic - not syncing: x\r\n[   12.345679] BUG: y\r\n",
			Result{
				Kernel: "6.12.1", Oops: "Kernel panic - not syncing: x",
				Jobs: job(-1, "one[   12.345678] Kernel panic - not syncing: x\n[   12.345679] BUG: y"),
			}, "Kernel panic",
		},
		"oops survived": {
			"IPCTRACE-KERNEL k\nIPCTRACE-DONE 640\n",
			Result{Kernel: "k", Done: true, Tainted: 640}, "oopsed",
		},
		"a test that speaks of panics": {
			begin + "BUG: Kernel panic\n\nIPCTRACE-EXIT a 0\nIPCTRACE-DONE 0\n",
			Result{Kernel: "6.12.1", Jobs: job(0, "BUG: Kernel panic\n"), Done: true}, "",
		},
		"nothing": {"", Result{}, "did not come up"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseConsole(strings.NewReader(tc.console))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if err := got.Err(); (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("Err() = %v, want %q", err, tc.err)
			}
		})
	}
}

func TestParseConsoleBadTaint(t *testing.T) {
	if _, err := ParseConsole(strings.NewReader("IPCTRACE-DONE much\n")); err == nil {
		t.Error("want an error")
	}
}
