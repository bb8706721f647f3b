package agreement

// Measures is Summary without intervals, for measuring what they cost.
func (s *Summarizer) Measures() Summary { return s.summary(0, 0) }

// DrawTogether bounds what samples cost at so many amounts.
func (s *Summarizer) DrawTogether(most int) { s.tally.most = most }
