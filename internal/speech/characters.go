package speech

// characterScorer counts the edits between texts, of words with one space between them, character by character.
type characterScorer struct {
	ref, hyp []rune
	ascii    [128][]uint64     // by character: at which places of the reference it stands
	others   map[rune][]uint64 // the same for the rest of Unicode
	vp, vn   []uint64
}

// score returns the number of characters of the reference and of edits.
func (c *characterScorer) score(ref, hyp *words) (characters, errors int) {
	c.ref, c.hyp = spaced(c.ref[:0], ref), spaced(c.hyp[:0], hyp)
	return len(c.ref), c.distance()
}

func spaced(runes []rune, w *words) []rune {
	for i := range w.len() {
		if i > 0 {
			runes = append(runes, ' ')
		}
		for _, r := range w.word(i) {
			runes = append(runes, r)
		}
	}
	return runes
}

// distance is that of Levenshtein, by bits, 64 characters of the reference at once. (Myers 1999, block-based.)
func (c *characterScorer) distance() int {
	ref, hyp := trim(c.ref, c.hyp)
	if len(ref) == 0 || len(hyp) == 0 {
		return len(ref) + len(hyp)
	}
	blocks := (len(ref) + 63) / 64
	c.place(ref, blocks)
	c.vp, c.vn = c.vp[:0], c.vn[:0]
	for range blocks {
		c.vp, c.vn = append(c.vp, ^uint64(0)), append(c.vn, 0)
	}
	last := uint64(1) << ((len(ref) - 1) % 64)
	distance := len(ref)
	for _, r := range hyp {
		var equal []uint64
		if r < 128 {
			equal = c.ascii[r]
		} else if at, known := c.others[r]; known {
			equal = at
		}
		distance += c.column(equal, last)
	}
	c.forget(ref)
	return distance
}

// column goes on by one character of the hypothesis, and says by how much the distance of the whole reference changes.
func (c *characterScorer) column(equal []uint64, last uint64) int {
	rises, falls := uint64(1), uint64(0) // what comes over from the block before
	change := 0
	for b := range c.vp {
		var eq uint64
		if b < len(equal) {
			eq = equal[b]
		}
		vp, vn := c.vp[b], c.vn[b]
		x := eq | falls
		d0 := (((x & vp) + vp) ^ vp) | x | vn
		hp := vn | ^(d0 | vp)
		hn := d0 & vp
		if b == len(c.vp)-1 {
			if hp&last != 0 {
				change = 1
			} else if hn&last != 0 {
				change = -1
			}
		}
		nextRises, nextFalls := hp>>63, hn>>63
		hp, hn = hp<<1|rises, hn<<1|falls
		c.vp[b], c.vn[b] = hn|^(d0|hp), hp&d0
		rises, falls = nextRises, nextFalls
	}
	return change
}

// place notes where each character of the reference stands.
func (c *characterScorer) place(ref []rune, blocks int) {
	for i, r := range ref {
		var at []uint64
		if r < 128 {
			at = c.ascii[r]
		} else {
			at = c.others[r]
		}
		for len(at) < blocks {
			at = append(at, 0)
		}
		at[i/64] |= 1 << (i % 64)
		switch {
		case r < 128:
			c.ascii[r] = at
		case c.others == nil:
			c.others = map[rune][]uint64{r: at}
		default:
			c.others[r] = at
		}
	}
}

// forget clears what place noted.
func (c *characterScorer) forget(ref []rune) {
	for _, r := range ref {
		if r < 128 {
			c.ascii[r] = c.ascii[r][:0]
		}
	}
	clear(c.others)
}

// trim takes off what both begin and end with.
func trim(a, b []rune) ([]rune, []rune) {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
