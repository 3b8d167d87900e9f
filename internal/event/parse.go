package event

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Parse reads one line. Texts longer than this program can write are cut, but for
// those of a seal.
func Parse(line []byte) (*Event, error) {
	var own Event
	if own.read(line) && own.V == Version {
		return &own, nil
	}
	return parse(line)
}

// parse reads any line.
func parse(line []byte) (*Event, error) {
	var e Event
	err := json.Unmarshal(line, &e)
	// Another version may have changed types: say that, rather than which one.
	if e.V != Version && (err == nil || e.V != 0) {
		return nil, fmt.Errorf("event of version %d: this program reads version %d", e.V, Version)
	}
	if err != nil {
		return nil, fmt.Errorf("read event: %s", brief(err))
	}
	e.cutWords()
	return &e, nil
}

// brief cuts what encoding/json and time say: they may quote half a line, and
// time lets DEL through.
func brief(err error) string {
	const most = 160
	text := err.Error()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (n *Namespace) UnmarshalJSON(b []byte) error {
	type plain Namespace
	line := struct {
		*plain
		Label foreign `json:"label_hex"`
	}{plain: (*plain)(n)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Label.replace(&n.Label, maxPath)
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (ob *Object) UnmarshalJSON(b []byte) error {
	type plain Object
	line := struct {
		*plain
		Name foreign `json:"name_hex"`
		Mode *Mode   `json:"mode"`
	}{plain: (*plain)(ob)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Name.replace(&ob.Name, maxPath)
	cut(maxWord, &ob.Kind)
	ob.Flags = cutTexts(ob.Flags, maxWord)
	if ob.Bare = line.Mode == nil; !ob.Bare {
		ob.Mode = *line.Mode
	}
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (l *Log) UnmarshalJSON(b []byte) error {
	type plain Log
	line := struct {
		*plain
		File foreign `json:"file_hex"`
	}{plain: (*plain)(l)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.File.replace(&l.File, maxPath)
	cut(maxWord, &l.ID, &l.After)
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (t *Torn) UnmarshalJSON(b []byte) error {
	type plain Torn
	line := struct {
		*plain
		File foreign `json:"file_hex"`
	}{plain: (*plain)(t)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.File.replace(&t.File, maxPath)
	cut(maxWord, &t.SHA256)
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (p *Process) UnmarshalJSON(b []byte) error {
	type plain Process
	line := struct {
		*plain
		Comm       foreign `json:"comm_hex"`
		ParentComm foreign `json:"parent_comm_hex"`
		Cgroup     foreign `json:"cgroup_hex"`
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Comm.replace(&p.Comm, maxComm)
	line.ParentComm.replace(&p.ParentComm, maxComm)
	line.Cgroup.replace(&p.Cgroup, maxPath)
	return nil
}

// foreign is the bytes of a text, read from hexadecimal; nil: they are not told.
type foreign []byte

// UnmarshalText reads what object.foreign writes.
func (f *foreign) UnmarshalText(text []byte) (err error) {
	*f, err = hex.AppendDecode(nil, text)
	return err
}

func (f foreign) replace(text *string, most int) {
	if f != nil {
		*text = string(f)
	}
	cut(most, text)
}
