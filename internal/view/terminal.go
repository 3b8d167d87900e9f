package view

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Size of a terminal, in columns and rows.
type Size func() (columns, rows int, err error)

// TerminalSize asks the terminal each time: its user may change it.
func TerminalSize(f *os.File) Size {
	return func() (int, int, error) {
		size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return 0, 0, fmt.Errorf("size of terminal: %w", err)
		}
		return int(size.Col), int(size.Row), nil
	}
}

// What a terminal is told: xterm's sequences, which all that matter know.
const (
	enterScreen = "\x1b[?1049h" + "\x1b[?25l" + "\x1b[?7l" // alternate screen, no cursor, no wrapping
	leaveScreen = "\x1b[0m" + "\x1b[?7h" + "\x1b[?25h" + "\x1b[?1049l"
	home        = "\x1b[H"
	endOfLine   = "\x1b[K"
)
