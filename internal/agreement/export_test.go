package agreement

// Measures is Summary without intervals, for measuring what they cost.
func (s *Summarizer) Measures() Summary { return s.summary(0, 0) }
