package speech

// Scorer compares pairs of transcripts, one after the other, and uses the same memory for all. The zero value splits words at
// white space and counts no characters.
type Scorer struct {
	// Normalizer writes both transcripts alike before they are compared; the zero value leaves them as they are.
	Normalizer Normalizer
	// Characters has the errors of characters counted too.
	Characters bool

	ref, hyp   words
	up, down   []uint64 // by word of the hypothesis: where, along the reference, the distance rises and falls by one
	row        longRow
	characters characterScorer
}

// Score counts in what hypothesis differs from reference.
func (s *Scorer) Score(reference, hypothesis string) Counts {
	if s.Normalizer.apply != nil {
		reference, hypothesis = s.Normalizer.apply(reference), s.Normalizer.apply(hypothesis)
	}
	s.ref.split(reference)
	s.hyp.split(hypothesis)
	first, last := common(&s.ref, &s.hyp)
	n, m := s.ref.len()-first-last, s.hyp.len()-first-last
	var c Counts
	switch {
	case n == 0 || m == 0:
		c = Counts{Deletions: n, Insertions: m}
	case n <= 64:
		c = s.short(first, n, m)
	default:
		c = s.row.count(&s.ref, &s.hyp, first, n, m)
	}
	c.Hits += first + last
	if s.Characters {
		c.Characters, c.CharacterErrors = s.characters.score(&s.ref, &s.hyp)
	}
	return c
}

// short aligns n words of the reference, at most 64, with m of the hypothesis, both from first on. A column of the matrix of
// distances is two words of bits. (Myers, "A fast bit-vector algorithm for approximate string matching", JACM 46, 1999, in the
// form of Hyyrö, 2003.)
func (s *Scorer) short(first, n, m int) Counts {
	if cap(s.up) < m {
		s.up, s.down = make([]uint64, 2*m), make([]uint64, 2*m)
	}
	up, down := s.up[:m], s.down[:m]
	ref := s.ref.hashes[first : first+n]
	vp, vn := ^uint64(0), uint64(0)
	for j := range m {
		hash, equal := s.hyp.hashes[first+j], uint64(0)
		for i, h := range ref {
			if h == hash && s.ref.same(first+i, &s.hyp, first+j) {
				equal |= 1 << i
			}
		}
		d0 := (((equal & vp) + vp) ^ vp) | equal | vn
		hp := vn | ^(d0 | vp)
		hn := d0 & vp
		hp = hp<<1 | 1
		vp = hn<<1 | ^(d0 | hp)
		vn = hp & d0
		up[j], down[j] = vp, vn
	}
	return s.trace(first, n, m)
}

// trace goes back through the matrix from its end and counts what it meets.
func (s *Scorer) trace(first, n, m int) (c Counts) {
	i, j := n, m
	for i > 0 && j > 0 {
		at := uint64(1) << (i - 1)
		switch {
		case s.up[j-1]&at != 0:
			c.Deletions++
			i--
		case j > 1 && s.down[j-2]&at != 0:
			c.Insertions++
			j--
		default:
			i, j = i-1, j-1
			if s.ref.same(first+i, &s.hyp, first+j) {
				c.Hits++
			} else {
				c.Substitutions++
			}
		}
	}
	c.Deletions += i
	c.Insertions += j
	return c
}
