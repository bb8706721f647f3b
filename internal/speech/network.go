package speech

import (
	"cmp"
	"slices"
	"strings"
)

// Word is a word of a transcript as its maker wrote it, with what it is compared by.
type Word struct {
	Text string
	Key  string
	// Confidence is the recognizer's, from 0 to 1; 0 where there is none.
	Confidence float64
}

// Words cuts a transcript at white space. Its words are compared as the normalizer writes them; those of which that leaves nothing
// are left out.
func Words(text string, n Normalizer) (words []Word) {
	for part := range strings.FieldsSeq(text) {
		if key := n.Normalize(part); key != "" {
			words = append(words, Word{Text: part, Key: key})
		}
	}
	return words
}

// Network is several transcripts of the same speech, aligned: a slot has the words that stand for the same moment.
type Network struct {
	Transcripts [][]Word
	Slots       []Slot
	// Base is the transcript that the others were aligned to: the one closest to all of them.
	Base int
}

// Slot has, for each transcript, the place of its word, -1 where it has none here.
type Slot []int

// Combine aligns transcripts as ROVER does (Fiscus, "A post-processing system to yield reduced word error rates", ASRU 1997), but
// begins with the one that is closest to all others, and takes the rest from the closest to it to the farthest, earlier ones
// first where they are as close. A word that joins costs 1 for each transcript before it that it differs from, and so does a
// word left without one; ties are decided as Align does.
func Combine(transcripts [][]Word) *Network {
	n := &Network{Transcripts: transcripts}
	if len(transcripts) == 0 {
		return n
	}
	joined := newJoining(transcripts)
	order := joined.order()
	n.Base = order[0]
	for place := range transcripts[n.Base] {
		n.Slots = append(n.Slots, n.slot(n.Base, place))
	}
	joined.seen = append(joined.seen, n.Base)
	for _, next := range order[1:] {
		joined.next, joined.slots = next, n.Slots
		n.Slots = n.join(next, align(len(n.Slots), len(transcripts[next]), joined))
		joined.seen = append(joined.seen, next)
	}
	return n
}

// slot is one with the word of a single transcript.
func (n *Network) slot(transcript, place int) Slot {
	slot := make(Slot, len(n.Transcripts))
	for i := range slot {
		slot[i] = -1
	}
	slot[transcript] = place
	return slot
}

// join puts the words of a transcript into the slots.
func (n *Network) join(transcript int, steps []step) []Slot {
	slots := make([]Slot, 0, len(steps))
	at, place := 0, 0
	for _, by := range steps {
		switch by {
		case deletion:
			slots = append(slots, n.Slots[at])
			at++
		case insertion:
			slots = append(slots, n.slot(transcript, place))
			place++
		case substitution, match:
			n.Slots[at][transcript] = place
			slots = append(slots, n.Slots[at])
			at, place = at+1, place+1
		}
	}
	return slots
}

// joining is a transcript on its way into the slots of those before it.
type joining struct {
	numbers [][]int32 // by transcript: a number for each word, the same for the same
	seen    []int     // transcripts in the slots
	next    int
	slots   []Slot
}

func newJoining(transcripts [][]Word) *joining {
	number := map[string]int32{}
	j := &joining{}
	for _, words := range transcripts {
		keys := make([]string, len(words))
		for i, w := range words {
			keys[i] = w.Key
		}
		j.numbers = append(j.numbers, numbered(number, keys))
	}
	return j
}

// order is that in which the transcripts are aligned.
func (j *joining) order() []int {
	n := len(j.numbers)
	distances, sums := make([][]int, n), make([]int, n)
	for a := range n {
		distances[a] = make([]int, n)
		for b := range a {
			d := errorsOf(align(len(j.numbers[a]), len(j.numbers[b]), &wordPairs{j.numbers[a], j.numbers[b]}))
			distances[a][b], distances[b][a] = d, d
			sums[a] += d
			sums[b] += d
		}
	}
	base, order := 0, make([]int, n)
	for a := range n {
		order[a] = a
		if sums[a] < sums[base] {
			base = a
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if a == base || b == base {
			return cmp.Compare(boolInt(a != base), boolInt(b != base))
		}
		return cmp.Compare(distances[base][a], distances[base][b])
	})
	return order
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func errorsOf(steps []step) (errors int) {
	for _, by := range steps {
		if by != match {
			errors++
		}
	}
	return errors
}

func (j *joining) deleting(i int) int32 {
	words := int32(0)
	for _, t := range j.seen {
		if j.slots[i][t] >= 0 {
			words++
		}
	}
	return words
}

func (j *joining) inserting() int32 { return int32(len(j.seen)) } //nolint:gosec // transcripts are few

func (j *joining) pairing(i, k int) int32 {
	other := int32(0)
	for _, t := range j.seen {
		if place := j.slots[i][t]; place < 0 || j.numbers[t][place] != j.numbers[j.next][k] {
			other++
		}
	}
	return other
}

// Variant is one way in which transcripts have a part, with the transcripts that do; Text is empty for nothing at all.
type Variant struct {
	Text        string
	Transcripts []int
}

// Part is a stretch on which all transcripts agree, and then there is one variant, or one on which they differ.
type Part struct {
	From, To int // slots, To not among them
	Variants []Variant
}

// Agreed reports whether all transcripts say the same.
func (p Part) Agreed() bool { return len(p.Variants) == 1 }

// Parts cuts the network into stretches of agreement and of difference. Neighbouring slots that differ belong together where one of
// them lacks a word, since "good bye" then stands for "goodbye"; where all have a word in both, each can be decided alone. The variants of one go from the most transcripts to the
// fewest, the earliest first where there are as many; texts are those of the first transcript that has them.
func (n *Network) Parts() (parts []Part) {
	for from := 0; from < len(n.Slots); {
		agreed, to := n.agreed(from), from+1
		for to < len(n.Slots) && n.agreed(to) == agreed && (agreed || !n.full(to-1) || !n.full(to)) {
			to++
		}
		parts = append(parts, Part{from, to, n.variants(from, to)})
		from = to
	}
	return parts
}

func (n *Network) agreed(slot int) bool {
	for t := range n.Transcripts {
		if n.key(slot, t) != n.key(slot, 0) {
			return false
		}
	}
	return true
}

func (n *Network) full(slot int) bool { return !slices.Contains(n.Slots[slot], -1) }

// key is what a transcript has in a slot, "" for nothing.
func (n *Network) key(slot, transcript int) string {
	if place := n.Slots[slot][transcript]; place >= 0 {
		return n.Transcripts[transcript][place].Key
	}
	return ""
}

// Text is what one transcript has in a part, as it is written there.
func (n *Network) Text(p Part, transcript int) string {
	var texts []string
	for _, slot := range n.Slots[p.From:p.To] {
		if place := slot[transcript]; place >= 0 {
			texts = append(texts, n.Transcripts[transcript][place].Text)
		}
	}
	return strings.Join(texts, " ")
}

func (n *Network) variants(from, to int) (variants []Variant) {
	at := map[string]int{}
	for t, words := range n.Transcripts {
		var keys, texts []string
		for _, slot := range n.Slots[from:to] {
			if place := slot[t]; place >= 0 {
				keys, texts = append(keys, words[place].Key), append(texts, words[place].Text)
			}
		}
		key := strings.Join(keys, " ")
		i, known := at[key]
		if !known {
			i = len(variants)
			at[key] = i
			variants = append(variants, Variant{Text: strings.Join(texts, " ")})
		}
		variants[i].Transcripts = append(variants[i].Transcripts, t)
	}
	slices.SortStableFunc(variants, func(a, b Variant) int { return cmp.Compare(len(b.Transcripts), len(a.Transcripts)) })
	return variants
}

// Choice is what is proposed for a slot: a word, or none where Text is empty, and how many transcripts have it.
type Choice struct {
	Text  string
	Votes int
}

// Propose chooses for each slot what most transcripts have. Of several with as many votes the one with the higher mean confidence
// is chosen, then a word before none, then that of the base, then that of the earliest transcript.
func (n *Network) Propose() []Choice {
	choices := make([]Choice, len(n.Slots))
	for i := range n.Slots {
		best := n.candidates(i)[0]
		choices[i] = Choice{best.text, best.votes}
	}
	return choices
}

// Proposal is the text of the proposed words.
func (n *Network) Proposal() string { return textOf(n.Propose()) }

type candidate struct {
	key, text  string
	votes      int
	confidence float64 // sum
	base       bool
}

// candidates of a slot, the best first.
func (n *Network) candidates(slot int) (list []candidate) {
	for t := range n.Transcripts {
		key := n.key(slot, t)
		i := slices.IndexFunc(list, func(c candidate) bool { return c.key == key })
		if i < 0 {
			i = len(list)
			list = append(list, candidate{key: key})
		}
		c := &list[i]
		c.votes++
		c.base = c.base || t == n.Base
		if place := n.Slots[slot][t]; place >= 0 {
			word := n.Transcripts[t][place]
			c.confidence += word.Confidence
			if c.text == "" || t == n.Base {
				c.text = word.Text
			}
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		return cmp.Or(
			cmp.Compare(b.votes, a.votes),
			cmp.Compare(b.confidence/float64(b.votes), a.confidence/float64(a.votes)),
			cmp.Compare(boolInt(a.key == ""), boolInt(b.key == "")),
			cmp.Compare(boolInt(!a.base), boolInt(!b.base)),
		)
	})
	return list
}

// Pairwise returns how each transcript, a column, differs from each other, a row, which is taken as what was said.
func Pairwise(texts []string, n Normalizer) [][]Counts {
	scorer := Scorer{Normalizer: n, Characters: true}
	table := make([][]Counts, len(texts))
	for i, reference := range texts {
		for _, hypothesis := range texts {
			table[i] = append(table[i], scorer.Score(reference, hypothesis))
		}
	}
	return table
}
