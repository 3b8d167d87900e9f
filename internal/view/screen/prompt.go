package screen

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/ipctrace/ipctrace/internal/view"
)

// prompt asks for the words of a filter.
type prompt struct {
	text   string
	failed string // why they are none
}

// mostWords is how long they may be, in bytes.
const mostWords = 1024

func (p *prompt) add(text string) {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if len(p.text)+len(text) <= mostWords {
		p.text += text
		p.failed = ""
	}
}

// press takes a key while there is a prompt.
func (m *model) pressPrompt(key tea.KeyPressMsg) {
	p := m.prompt
	switch key.String() {
	case "enter":
		m.choose(p.text)
	case "esc", "ctrl+c":
		m.prompt = nil
	case "backspace", "ctrl+h":
		if p.text == "" {
			m.prompt = nil
			return
		}
		_, n := utf8.DecodeLastRuneInString(p.text)
		p.text, p.failed = p.text[:len(p.text)-n], ""
	case "ctrl+u":
		p.text, p.failed = "", ""
	case "ctrl+w":
		p.text, p.failed = p.text[:strings.LastIndexByte(strings.TrimRight(p.text, " "), ' ')+1], ""
	default:
		p.add(key.Text)
	}
}

// choose takes the words, and stays where they are none.
func (m *model) choose(words string) {
	words = strings.TrimSpace(words)
	var f Filter
	if words != "" {
		var err error
		if f, err = m.controls.Filter(words); err != nil {
			if m.prompt != nil {
				m.prompt.failed = view.Safe(err.Error(), view.Whole)
			}
			return
		}
	}
	m.prompt, m.filter, m.words = nil, f, words
	m.memory.choose(f)
	if m.frozen != nil {
		m.frozen.memory.choose(f)
	}
	m.namespaces.home()
	m.objects.home()
	m.events.home()
}
