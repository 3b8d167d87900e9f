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

func TestGridWithoutRows(t *testing.T) {
	got, err := grid([]string{"A", "B"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, []string{"A  B"})
}
