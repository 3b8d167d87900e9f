package screen

import (
	tea "charm.land/bubbletea/v2"
)

// press does what a key is for.
func (m *model) press(key tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.String() == "ctrl+z":
		return tea.Suspend
	case m.prompt != nil:
		m.pressPrompt(key)
		return nil
	case key.String() == "q", key.String() == "ctrl+c":
		m.ending = true
		go m.controls.Quit() // the screen stays until all that was recorded has been told
		return nil
	}
	if m.overlay != nil && m.pressOverlay(key.String()) || m.controls.Player != nil && m.play(key.String()) {
		return nil
	}
	if !m.pressMove(key.String()) {
		m.pressMode(key.String())
	}
	return nil
}

// pressOverlay says whether the key was for what lies over the panes.
func (m *model) pressOverlay(key string) bool {
	switch key {
	case "esc", "d", "?", "enter", "backspace":
		m.overlay = nil
	case "up", "k":
		m.overlay.scroll(-1)
	case "down", "j":
		m.overlay.scroll(1)
	case "pgup", "ctrl+b":
		m.overlay.scroll(-m.rows / 2)
	case "pgdown", "ctrl+f":
		m.overlay.scroll(m.rows / 2)
	case "tab", "shift+tab", "s", "S", "/", "g", "G", "home", "end":
	default:
		return false
	}
	return true
}

// pressMove says whether the key moves, and does.
func (m *model) pressMove(key string) bool {
	const all = 1 << 30
	page := max(1, m.rows/4)
	switch key {
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "pgup", "ctrl+b":
		m.move(-page)
	case "pgdown", "ctrl+f":
		m.move(page)
	case "home", "g":
		m.move(-all)
	case "end", "G":
		m.move(all)
	case "left", "h":
		m.moveSpace(-1)
	case "right", "l":
		m.moveSpace(1)
	case "tab":
		m.focus = (m.focus + 1) % panes
	case "shift+tab":
		m.focus = (m.focus + panes - 1) % panes
	default:
		return false
	}
	return true
}

// move moves in the pane that has the focus. Events are seen with the newest at the
// bottom.
func (m *model) move(by int) {
	switch m.focus {
	case namespacesPane:
		m.moveSpace(by)
	case objectsPane:
		m.objects.move(by)
	case eventsPane:
		m.events.move(-by)
	}
}

func (m *model) moveSpace(by int) {
	m.follow = false
	m.namespaces.move(by)
	m.objects.home()
}

// pressMode changes what is shown, or how.
func (m *model) pressMode(key string) {
	switch key {
	case "enter":
		m.enter()
	case "esc", "backspace":
		m.back()
	case "d":
		m.details()
	case "?":
		m.overlay = &help{}
	case "/":
		m.prompt = &prompt{text: m.words}
	case "p":
		m.freeze()
	case "f":
		m.follow = !m.follow
	case "a":
		m.all = !m.all
	case "s":
		m.sort(1)
	case "S":
		m.sort(-1)
	}
}

// enter opens what is chosen.
func (m *model) enter() {
	if m.focus == namespacesPane && !m.opened {
		m.opened, m.focus = true, objectsPane
		return
	}
	m.details()
}

// back takes back what was done last: the opened namespace, then the filter.
func (m *model) back() {
	switch {
	case m.opened:
		m.opened, m.focus = false, namespacesPane
	case m.focus != namespacesPane:
		m.focus = namespacesPane
	case m.filter != nil:
		m.choose("")
	}
}

// details lay all over the panes that is known of what is chosen.
func (m *model) details() {
	p := m.picture()
	switch {
	case m.focus == eventsPane:
		if e := m.chosenEvent(p); e != nil {
			m.overlay = &eventDetails{of: e}
		}
	case p.chosen == nil:
	case m.focus == objectsPane && m.objects.on != (objectKey{}):
		m.overlay = &objectDetails{in: p.chosen.id, of: m.objects.on}
	default:
		m.overlay = &spaceDetails{of: p.chosen.id}
	}
}

// sort takes the next order of the pane that has the focus. Events have one alone.
func (m *model) sort(by int) {
	switch m.focus {
	case namespacesPane:
		m.bySpace = (m.bySpace + by + len(spaceOrders)) % len(spaceOrders)
	case objectsPane:
		m.byObject = (m.byObject + by + len(objectOrders)) % len(objectOrders)
		m.objects.home()
	}
}

// play says whether the key is for the player of a log, and does what it is for.
func (m *model) play(key string) bool {
	p := m.controls.Player
	switch key {
	case "space", "p":
		p.Pause()
	case "left":
		p.Seek(-seekPart)
	case "right":
		p.Seek(seekPart)
	case ",":
		p.Step(true)
	case ".":
		p.Step(false)
	case "+", "=":
		p.Faster(false)
	case "-":
		p.Faster(true)
	case "0":
		p.Plain()
	default:
		return false
	}
	return true
}

// seekPart is how far a key goes in a log, of all of it.
const seekPart = 0.05
