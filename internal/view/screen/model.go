package screen

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// pane is a part of the screen that keys go to.
type pane int

const (
	namespacesPane pane = iota
	objectsPane
	eventsPane
	panes = 3
)

// model is where the user is. It is of one goroutine, that of the program.
type model struct {
	look     Look
	controls Controls
	memory   *memory
	opts     view.Options
	columns  int
	rows     int

	focus      pane
	namespaces cursor[identity]
	objects    cursor[objectKey]
	events     cursor[uint64] // number among all that were remembered
	opened     bool           // the chosen namespace is; else they are side by side
	all        bool           // also what is quiet, and what is gone for longer
	follow     bool           // go where something happens
	bySpace    int            // order of namespaces
	byObject   int            // and of objects
	filter     Filter         // nil: all
	words      string         // of it
	prompt     *prompt        // nil: nothing is asked
	overlay    overlay
	frozen     *frozen // nil: it goes on
	ending     bool

	sharing sharing
	last    signature // of what was drawn
	text    string
}

// frozen is what there was when the user had the screen stand still.
type frozen struct {
	scene  Scene
	memory *memory
}

// signature tells whether anything is to be drawn anew that keys have not changed.
type signature struct {
	totals inventory.Totals
	second int64
	count  uint64
	begun  bool
	play   Playback
}

// tick is the time for a frame.
type tick struct{}

func newModel(look Look, controls Controls, memory *memory, opts view.Options) *model {
	return &model{look: look, controls: controls, memory: memory, opts: opts, columns: 80, rows: 24}
}

func ticking() tea.Cmd {
	return tea.Tick(interval, func(time.Time) tea.Msg { return tick{} })
}

// Init begins to draw.
func (m *model) Init() tea.Cmd { return ticking() }

// Update takes keys, the size of the terminal, and time.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tick:
		if m.changed() {
			m.draw()
		}
		return m, ticking()
	case tea.WindowSizeMsg:
		m.columns, m.rows = msg.Width, msg.Height
		m.redraw()
	case tea.KeyPressMsg:
		command := m.press(msg)
		m.redraw()
		return m, command
	case tea.PasteMsg:
		if m.prompt != nil {
			m.prompt.add(msg.Content)
			m.redraw()
		}
	}
	return m, nil
}

// View is what was drawn last.
func (m *model) View() tea.View {
	v := tea.NewView(m.text)
	v.AltScreen = true
	return v
}

// see shows what there is, or what there was when it was frozen.
func (m *model) see(show func(*Scene)) {
	if m.frozen != nil {
		show(&m.frozen.scene)
		return
	}
	m.look(show)
}

// happened are the events that are shown.
func (m *model) happened() remembrance {
	if m.frozen != nil {
		return m.frozen.memory.newest(remembered)
	}
	if m.focus != eventsPane && !m.events.set {
		return m.memory.newest(m.rows) // no more of them can be seen
	}
	return m.memory.newest(remembered)
}

// changed says whether there is anything new to be drawn. Ages are told in seconds.
func (m *model) changed() bool {
	now := signature{count: m.memory.total()}
	m.see(func(s *Scene) {
		now.begun, now.totals, now.second = true, s.Inventory.Totals(), s.Now.Unix()
		if s.Playback != nil {
			now.play = *s.Playback
		}
	})
	changed := now != m.last
	m.last = now
	return changed
}

// freeze has the screen stand still, while all else goes on, or go on again.
func (m *model) freeze() {
	if m.frozen != nil {
		m.frozen = nil
		return
	}
	m.look(func(s *Scene) {
		m.frozen = &frozen{scene: *s}
		m.frozen.scene.Inventory = s.Inventory.Clone()
	})
	if m.frozen != nil {
		m.frozen.memory = m.memory.clone()
	}
}

// redraw draws what a key has changed. What that leads to a moment later may look like
// what was drawn by the last tick: the next one draws in any case.
func (m *model) redraw() {
	m.draw()
	m.last = signature{}
}

// draw lays out all of the screen.
func (m *model) draw() {
	p := m.picture()
	lines := m.compose(p)
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.fit(m.columns).render(m.opts.Color))
	}
	m.text = b.String()
}
