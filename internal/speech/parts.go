package speech

import "strings"

// SpanPart is a part of a network, within one segment of the transcript that the others were aligned to.
type SpanPart struct {
	Part

	Segment int
	// Merged is what is proposed here, and Proposed the variant that has its words, -1 where none has all of them.
	Merged   string
	Proposed int
}

// Aligned is several transcripts side by side.
type Aligned struct {
	Network *Network
	// Base is the transcript whose segments the parts lie in.
	Base  Transcript
	Parts []SpanPart
}

// AlignParts aligns whole transcripts and cuts them where they differ, and where a segment of the one ends that is closest to all.
func AlignParts(transcripts []Transcript, n Normalizer) Aligned {
	net, segments := networkOf(transcripts, n)
	a := Aligned{Network: net, Base: Transcript{}}
	if len(transcripts) == 0 {
		return a
	}
	a.Base = baseOf(transcripts, net.Base)
	choices, segment := net.Propose(), 0
	at := make([]int, len(net.Slots)) // the segment of each slot
	for i, slot := range net.Slots {
		if word := slot[net.Base]; word >= 0 {
			segment = segments[net.Base][word]
		}
		at[i] = segment
	}
	for _, p := range net.Parts() {
		for from := p.From; from < p.To; {
			to := from + 1
			for to < p.To && (at[to] == at[from] || !p.Agreed()) {
				to++
			}
			part := SpanPart{Part: Part{From: from, To: to, Variants: p.Variants}, Segment: at[from]}
			if to-from < p.To-p.From {
				part.Variants = net.variants(from, to)
			}
			part.Merged, part.Proposed = textOf(choices[from:to]), net.proposed(part.Part)
			a.Parts = append(a.Parts, part)
			from = to
		}
	}
	return a
}

// proposed is the variant of a part that has the words that are proposed for its slots; -1 where none has.
func (n *Network) proposed(p Part) int {
	for v, variant := range p.Variants {
		same := true
		for slot := p.From; slot < p.To && same; slot++ {
			same = n.key(slot, variant.Transcripts[0]) == n.candidates(slot)[0].key
		}
		if same {
			return v
		}
	}
	return -1
}

func textOf(choices []Choice) string {
	var words []string
	for _, c := range choices {
		if c.Text != "" {
			words = append(words, c.Text)
		}
	}
	return strings.Join(words, " ")
}
