package view

import "testing"

func TestGridLeavesCellsAsTheyAre(t *testing.T) {
	got, err := grid([]string{"two words", "snake_case", "世界"}, [][]string{
		{"  lead", "a  b", "x"},
		{"", "", ""},
		{"🌍🌍", "trail  ", "世"},
		{`a\nb`, "é·≠", ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []string{
		"two words  snake_case  世界",
		"  lead     a  b        x",
		"",
		"🌍🌍       trail       世",
		`a\nb       é·≠`,
	})
}

func TestGridWidth(t *testing.T) {
	header, rows := []string{"A", "bbb"}, [][]string{{"世界", "x"}, {"", "1234567"}}
	widths := gridWidths(header, rows)
	check(t, widths, []int{4, 7})
	lines, err := grid(header, rows)
	if err != nil {
		t.Fatal(err)
	}
	check(t, gridWidth(widths), Width(lines[2]))
}

func TestGridWithoutRows(t *testing.T) {
	got, err := grid([]string{"A", "B"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []string{"A  B"})
}
