package agreement

// Settled reports whether a majority settles every object, so that Proposal holds nothing that only a rule for ties
// decided: more than half of the answers have an object or more than half of them lack it, more than half of its
// members say its class, and nobody's wide box stands against others' several. How closely its members were drawn does
// not matter: the median settles that.
func (m Matching) Settled() bool {
	for i := range m.Objects {
		o := &m.Objects[i]
		have := m.Answers - len(o.Missing)
		switch {
		case len(o.Wide) > 0 || len(o.Parts) > 0 || 2*have == m.Answers:
			return false
		case 2*have > m.Answers && 2*o.Support <= len(o.Members):
			return false
		}
	}
	return true
}
