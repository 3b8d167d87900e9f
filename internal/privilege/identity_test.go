package privilege

import "testing"

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		name     string
		uid, gid int
		ok       bool
	}{
		{"root", 0, 0, true},
		{"0", 0, 0, true},
		{"123456", 123456, 123456, true}, // nobody has it here
		{"4294967294", 4294967294, 4294967294, true},
		{"4294967295", 0, 0, false}, // (uid_t)-1
		{"-1", 0, 0, false},
		{"nobody-of-this-name", 0, 0, false},
		{"", 0, 0, false},
	} {
		uid, gid, err := lookup(test.name)
		if uid != test.uid || gid != test.gid || (err == nil) != test.ok {
			t.Errorf("%q: %d, %d, %v", test.name, uid, gid, err)
		}
	}
}
