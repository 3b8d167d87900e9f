package main

import (
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
)

// TestOrders: by every column; what is equal, and what does not have it, stays in
// order, and namespaces without objects come last.
func TestOrders(t *testing.T) {
	namespaces := [][]sysvipc.Object{
		{},
		{
			{Kind: "msg", ID: 9, Key: -1, UID: 5, Messages: 3, Bytes: 10, CTime: 300, Name: "a"},
			{Kind: "shm", ID: 0, Key: 1, UID: 0, Size: 4096, Attached: 2, CTime: 100, Name: "b"},
		},
		{
			{Kind: "sem", ID: 1, Key: 2, UID: 4294967295, NSems: 9, CTime: 200, Name: "c"},
			{Kind: "shm", ID: 2, UID: 5, Size: 1 << 40, CTime: 0, Name: "d"},
			{Kind: "shm", ID: 2, UID: 5, Size: 0, CTime: 200, Name: "e"},
		},
	}
	for name, want := range map[string]string{
		"ns":       "- ab cde",
		"kind":     "ab cde -",
		"id":       "ba cde -",
		"key":      "dec ba -",
		"owner":    "ba dec -",
		"size":     "dec ba -",
		"messages": "ab cde -",
		"nattch":   "ba dec -",
		"age":      "ba ced -",
		"ctime":    "ab ced -",
	} {
		by, err := parseOrder(name)
		if err != nil {
			t.Fatal(err)
		}
		var list []listed
		names := map[*uint32]string{}
		for _, objects := range namespaces {
			var n listed
			for _, o := range objects {
				l := view.ListedObject{Object: o.Event()}
				names[l.UID] = o.Name
				n.objects = append(n.objects, l)
			}
			list = append(list, n)
		}
		by.sort(list)
		var got []string
		for _, n := range list {
			word := ""
			for _, o := range n.objects {
				word += names[o.UID]
			}
			if word == "" {
				word = "-"
			}
			got = append(got, word)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, o := range orders {
		if !strings.Contains(sortHelp, o.name) {
			t.Errorf("nothing about %s in the help", o.name)
		}
	}
}
