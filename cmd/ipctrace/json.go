package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
)

// jsonLink is a namespace link of several processes; "" where one has none.
type jsonLink struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	Same   bool     `json:"same"`
}

func jsonLinks(links []nsresolve.Link) []jsonLink {
	var out []jsonLink
	for _, l := range links {
		out = append(out, jsonLink{Name: l.Name, Values: []string{l.A, l.B}, Same: l.Same})
	}
	return out
}

func linkRows(links []jsonLink) []view.LinkRow {
	rows := make([]view.LinkRow, len(links))
	for i, l := range links {
		rows[i] = view.LinkRow(l)
	}
	return rows
}

type jsonCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// writeJSON writes the proof as one object; its events are those of the contract.
func (p *proof) writeJSON(w io.Writer, checks []view.Check) error {
	out := struct {
		Proved bool              `json:"proved"`
		Tier   string            `json:"tier"`
		PIDs   []int             `json:"pids"` // A, B
		Links  []jsonLink        `json:"links"`
		Checks []jsonCheck       `json:"checks"`
		Events []json.RawMessage `json:"events"`
	}{
		Proved: proved(checks), Tier: p.tier.String(), PIDs: []int{p.a.pid(), p.b.pid()}, Links: jsonLinks(p.links),
	}
	for _, c := range checks {
		out.Checks = append(out.Checks, jsonCheck(c))
	}
	for _, e := range p.events {
		out.Events = append(out.Events, e.AppendJSON(nil))
	}
	return writeJSON(w, out)
}

// writeJSON escapes more than JSON asks: everything that is not printable, among
// it the C1 controls and the marks that turn the direction of text.
func writeJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = w.Write(append(escaped(text), '\n'))
	return err
}

// escaped works on text that is JSON, where such characters stand in strings alone.
func escaped(text []byte) []byte {
	hostile := func(r rune) bool { return r != '\n' && r != utf8.RuneError && !unicode.IsPrint(r) }
	if !bytes.ContainsFunc(text, hostile) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		switch {
		case !hostile(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		}
	}
	return b
}
