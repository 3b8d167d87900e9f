package event

import (
	"slices"
	"strings"
)

// Texts that this program writes are not longer than this, in bytes. A log may come
// from anywhere, and whoever reads it keeps what it tells: see cut.
const (
	maxComm   = 16             // TASK_COMM_LEN, include/linux/sched.h
	maxPath   = 4096 + 256     // PATH_MAX, include/uapi/linux/limits.h, and a word before it
	maxWord   = 256            // NAME_MAX, likewise: all others
	maxFilter = 3 * (64 << 10) // what a flag was given; bytes that are no Unicode are three in JSON
	maxTexts  = 64             // names of bits, and the like
)

// cut cuts texts that are longer, and lets go of the rest of them.
func cut[T ~string](most int, texts ...*T) {
	for _, text := range texts {
		if len(*text) > most {
			*text = T(strings.Clone(strings.ToValidUTF8(string((*text)[:most]), "")))
		}
	}
}

// cutTexts likewise, and lists that are longer.
func cutTexts(texts []string, most int) []string {
	if len(texts) > maxTexts {
		texts = slices.Clone(texts[:maxTexts])
	}
	for i := range texts {
		cut(most, &texts[i])
	}
	return texts
}

// cutWords cuts the texts that no UnmarshalJSON has cut. Those of a seal nobody
// keeps, and they are as long as what it vouches for asks.
func (e *Event) cutWords() {
	cut(maxWord, &e.Errno, &e.Syscall, &e.ABI)
	cut(maxWord, &e.Event)
	cut(maxWord, &e.Observed)
	cut(maxWord, &e.Cause)
	if e.Container != nil {
		e.Container.cutWords()
	}
	if e.History != nil {
		cut(maxWord, &e.History.First)
	}
	if e.Lost != nil {
		cut(maxWord, &e.Lost.Stage)
	}
	if e.Start != nil {
		e.Start.cutWords()
	}
	if e.Stop != nil {
		cut(maxWord, &e.Stop.Reason)
	}
}

func (c *Container) cutWords() {
	cut(maxWord, &c.ID, &c.Runtime, &c.Pod, &c.PodNamespace)
	cut(maxPath, &c.Name, &c.Image)
}

func (s *Start) cutWords() {
	cut(maxWord, &s.Tool, &s.Host, &s.BootID, &s.Kernel, &s.Arch, &s.Tier)
	s.Gaps, s.Filters = cutTexts(s.Gaps, maxPath), cutTexts(s.Filters, maxFilter)
}
