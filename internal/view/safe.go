package view

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// Whole is the max for [Safe] when nothing may be cut.
const Whole = math.MaxInt

const ellipsis = "…"

// Safe makes text of other processes fit for a terminal or a table: it is one
// line of printable characters, at most max columns wide, cut with "…". What
// acts on a terminal, or could make a name look like another, is there as an
// escape (\x1b, \n, \u202e; \xff for a byte that is no UTF-8), and so that
// nobody can write an escape of his own, a backslash is doubled.
func Safe(s string, max int) string {
	if len(s) <= max && plain(s) {
		return s
	}
	var b strings.Builder
	width, fits := 0, 0 // columns so far; bytes that leave room for the ellipsis
	last := ' '
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		piece := shown(last, r, s[:n])
		s = s[n:]
		last, _ = utf8.DecodeLastRuneInString(piece)
		width += displaywidth.String(piece)
		if width > max {
			if max < 1 {
				return ""
			}
			return b.String()[:fits] + ellipsis
		}
		b.WriteString(piece)
		if width < max {
			fits = b.Len()
		}
	}
	return b.String()
}

// plain is text that nothing needs to be done to: most of it.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// shown is what stands for the character r, encoded as raw, behind last.
func shown(last, r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\\':
		return `\\`
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < utf8.RuneSelf && !unicode.IsPrint(r):
		return fmt.Sprintf(`\x%02x`, r)
	case unicode.IsPrint(r) && !invisible(r) && !rightToLeft(r) && !joins(last, r) && !joins(r, ' '):
		return raw
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// invisible characters pass for printable in Unicode: marks put on the character
// before them, variation selectors, fillers.
func invisible(r rune) bool {
	return displaywidth.Rune(r) == 0 || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// rightToLeft letters are as good as bidi marks: a terminal that knows them turns
// the numbers beside them around. These are Unicode's blocks for such scripts.
func rightToLeft(r rune) bool {
	switch {
	case r < 0x590:
		return false
	case r <= 0x8ff, // Hebrew, Arabic, Syriac, Thaana, NKo, Samaritan, Mandaic
		0xfb1d <= r && r <= 0xfdff, 0xfe70 <= r && r <= 0xfeff, // presentation forms
		0x10800 <= r && r <= 0x10fff, 0x1e800 <= r && r <= 0x1efff:
		return true
	}
	return false
}

// joins says that two characters share columns: flags, skin tones, syllables
// built of letters. Terminals disagree on how many. What joins with a space would
// do so with anything that is put beside the text.
func joins(last, r rune) bool {
	if last < utf8.RuneSelf && r < utf8.RuneSelf {
		return false
	}
	return displaywidth.String(string([]rune{last, r})) != displaywidth.Rune(last)+displaywidth.Rune(r)
}

// Width in columns of text that is safe. What East Asian terminals may show wide
// or narrow is taken as narrow, here and in tables alike.
func Width(safe string) int { return displaywidth.String(safe) }

// Fit cuts safe text to max columns.
func Fit(safe string, max int) string {
	if len(safe) <= max { // no character has more columns than bytes
		return safe
	}
	if max < 1 {
		return ""
	}
	return displaywidth.TruncateString(safe, max, ellipsis)
}
