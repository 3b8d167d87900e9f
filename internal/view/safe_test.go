package view

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

func TestSafe(t *testing.T) {
	tests := []struct {
		name, in string
		max      int
		want     string
	}{
		{"plain", "bash", Whole, "bash"},
		{"empty", "", Whole, ""},
		{"spaces stay", " a  b ", Whole, " a  b "},
		{"escape sequence", "\x1b[31mred\x1b]0;title\a", Whole, `\x1b[31mred\x1b]0;title\x07`},
		{"line ends", "a\nb\r\nc\td\u2028e", Whole, `a\nb\r\nc\td\u2028e`},
		{"C0, DEL", "\x00\x7f", Whole, `\x00\x7f`},
		{"C1 as a character, as a byte", "\u009b1m\x9b1m", Whole, `\u009b1m\x9b1m`},
		{"invalid UTF-8", "a\xffb\xe4\xb8c\xed\xa0\x80", Whole, `a\xffb\xe4\xb8c\xed\xa0\x80`},
		{"replacement character", "\ufffd", Whole, "\ufffd"},
		{"backslash", `\x1b`, Whole, `\\x1b`},
		{"bidi marks", "a\u202eb\u2066c\u200f", Whole, `a\u202eb\u2066c\u200f`},
		{"right to left", "א[5]", Whole, `\u05d0[5]`},
		{"zero width", "a\u200bb\u200d\ufeffc\u00ad", Whole, `a\u200bb\u200d\ufeffc\u00ad`},
		{"spaces that are none", "a\u00a0b\u3000c", Whole, `a\u00a0b\u3000c`},
		{"combining", "e\u0301", Whole, `e\u0301`},
		{"composed", "é", Whole, "é"},
		{"variation selectors", "a\ufe0f\U000e0100", Whole, `a\ufe0f\U000e0100`},
		{"tags", "a\U000e0041", Whole, `a\U000e0041`},
		{"private use", "\ue000", Whole, `\ue000`},
		{"filler", "a\u3164b", Whole, `a\u3164b`},
		{"four bytes", "🌍x", Whole, "🌍x"},
		{"joined", "👩\u200d👧", Whole, `👩\u200d👧`},
		{"skin tone", "👍🏽", Whole, `👍\U0001f3fd`},
		{"skin tone on an escape, on nothing", "\x8d🏽", Whole, `\x8d\U0001f3fd`},
		{"wide", "世界", Whole, "世界"},

		{"fits", "bash", 4, "bash"},
		{"cut", "bash", 3, "ba…"},
		{"cut to the mark", "bash", 1, "…"},
		{"no room", "bash", 0, ""},
		{"less than none", "bash", -1, ""},
		{"wide fits", "世界", 4, "世界"},
		{"wide cut", "世界", 3, "世…"},
		{"wide cut before the middle", "世界", 2, "…"},
		{"escape is cut whole", "ab\x1bcd", 6, "ab…"},
		{"escape fits", "ab\x1b", 6, `ab\x1b`},
	}
	for _, test := range tests {
		if got := Safe(test.in, test.max); got != test.want {
			t.Errorf("%s: Safe(%q, %d) = %q, want %q", test.name, test.in, test.max, got, test.want)
		}
	}
}

// Every character by itself, and behind a letter.
func TestSafeOfEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		got := Safe("a"+string(r), Whole)
		if got == "a" || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) || invisible(r) }) {
			t.Fatalf("%U is shown as %q", r, got)
		}
		if got != "a"+string(r) && !strings.HasPrefix(got, `a\`) {
			t.Fatalf("%U is shown as %q", r, got)
		}
	}
}

// What looks the same was the same.
func TestEscapesCannotBeForged(t *testing.T) {
	if Safe("\x1b", Whole) == Safe(`\x1b`, Whole) {
		t.Error("an escape can be forged")
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"bash", "\x1b[2J", "a\xff\u202e🌍\u0301", "世界", "🇩🇪🇩", "👍🏽", "각", "क्षि", `\\`, strings.Repeat("\u0301", 99)} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, max int) {
		got := Safe(s, max)
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
		sum := 0
		for _, r := range got {
			if !unicode.IsPrint(r) || invisible(r) || rightToLeft(r) {
				t.Fatalf("%U in %q", r, got)
			}
			sum += displaywidth.Rune(r)
		}
		if columns := displaywidth.String(got); columns > 0 && columns > max || columns != sum {
			t.Fatalf("%q: %d columns, %d one by one, at most %d", got, columns, sum, max)
		}
		if columns := displaywidth.String("x" + got + "["); got != "" && columns != sum+2 {
			t.Fatalf("%q joins with its neighbours: %d columns, %d by itself", got, columns, sum)
		}
		if max == Whole && len(s) > 0 && got == "" {
			t.Fatal("nothing left")
		}
		if cut := Fit(Safe(s, Whole), max); displaywidth.String(cut) > 0 && displaywidth.String(cut) > max {
			t.Fatalf("fit: %q wider than %d", cut, max)
		}
	})
}
