package formats

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteTextGrid writes a tier for each speaker, or for each channel where no speaker is known, in Praat's long form as UTF-8; words with
// times have a tier beside it, and each class of moments has one. Segments of one tier that overlap go into further ones. Intervals tile a tier: gaps are empty
// intervals. Segments without a text are lost, and so is the channel of a speaker; Confidences are lost too.
func WriteTextGrid(w io.Writer, recording Recording) (Report, error) {
	t := newTranscriptWriter(w)
	end := recording.Duration
	for _, m := range recording.Moments {
		end = max(end, m.End)
	}
	for _, s := range recording.Segments {
		end = max(end, s.End)
		for _, word := range s.Words {
			end = max(end, word.End)
		}
	}
	tiers := t.tiers(recording)
	t.printf("File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = %s\n", shortest(end))
	t.printf("tiers? <exists>\nsize = %d\nitem []:\n", len(tiers))
	for i, tier := range tiers {
		intervals := tier.tile(end)
		t.printf("    item [%d]:\n        class = \"IntervalTier\"\n        name = %s\n", i+1, textGridQuote(tier.name))
		t.printf("        xmin = 0\n        xmax = %s\n        intervals: size = %d\n", shortest(end), len(intervals))
		for k, v := range intervals {
			t.printf("        intervals [%d]:\n            xmin = %s\n            xmax = %s\n            text = %s\n",
				k+1, shortest(v.start), shortest(v.end), textGridQuote(v.text))
		}
	}
	return t.finish()
}

func textGridQuote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

type textGridTier struct {
	name      string
	intervals []interval
}

type interval struct {
	start, end float64
	text       string
}

// tiers sorts the segments into tiers.
func (t *transcriptWriter) tiers(recording Recording) (tiers []textGridTier) {
	segments := slices.Clone(recording.Segments)
	slices.SortStableFunc(segments, func(a, b Segment) int { return cmp.Compare(a.Start, b.Start) })
	var words []textGridTier
	for _, s := range segments {
		if t.skips(recording.Key, s) {
			continue
		}
		t.lose(recording.Key, s, false, s.Speaker != "", false, true)
		name := strings.Join(strings.Fields(s.Speaker), " ")
		switch {
		case name == "" && s.Channel > 0:
			name = fmt.Sprintf("channel %d", s.Channel)
		case name == "":
			name = speechTier
		}
		text := strings.Join(strings.Fields(s.Text), " ")
		if text == "" || s.End <= s.Start {
			t.report.Add(LeftOut, recording.Key, "a segment without a text or without a length, which no interval can be")
			continue
		}
		tiers = place(tiers, name, "", interval{s.Start, s.End, text})
		for _, word := range s.Words {
			if word.Scored {
				t.report.Add(LeftOut, recording.Key, "confidences of words")
			}
			if word.End <= word.Start {
				t.report.Add(LeftOut, recording.Key, "a word without a length, which no interval can be")
				continue
			}
			words = place(words, name, wordsTier, interval{word.Start, word.End, strings.Join(strings.Fields(word.Text), " ")})
		}
	}
	return t.momentTiers(recording, append(tiers, words...))
}

// momentTiers adds a tier for each class of moments. Its intervals say the channel, or the class again, since what is empty is a gap.
func (t *transcriptWriter) momentTiers(recording Recording, tiers []textGridTier) []textGridTier {
	moments := slices.Clone(recording.Moments)
	slices.SortStableFunc(moments, func(a, b Moment) int { return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Begin, b.Begin)) })
	for _, m := range moments {
		class := strings.Join(strings.Fields(m.Class), " ")
		text := class
		if m.Channel > 0 {
			text = fmt.Sprintf("channel %d", m.Channel)
		}
		if m.End <= m.Begin {
			t.report.Add(LeftOut, recording.Key, "a moment without a length, which no interval can be")
			continue
		}
		tiers = place(tiers, momentsTier+class, "", interval{m.Begin, m.End, text})
	}
	return tiers
}

// place puts an interval into the first tier of that name that has room for it after its last one, a new one if none has.
func place(tiers []textGridTier, name, kind string, v interval) []textGridTier {
	for n := 1; ; n++ {
		full := name + kind
		if n > 1 {
			full = fmt.Sprintf("%s (%d)%s", name, n, kind)
		}
		at := slices.IndexFunc(tiers, func(tier textGridTier) bool { return tier.name == full })
		if at < 0 {
			return append(tiers, textGridTier{full, []interval{v}})
		}
		if last := tiers[at].intervals[len(tiers[at].intervals)-1]; last.end <= v.start {
			tiers[at].intervals = append(tiers[at].intervals, v)
			return tiers
		}
	}
}

// tile fills the gaps of a tier, up to its end, with empty intervals.
func (tier textGridTier) tile(end float64) (all []interval) {
	at := 0.0
	for _, v := range tier.intervals {
		if v.start > at {
			all = append(all, interval{at, v.start, ""})
		}
		all = append(all, v)
		at = v.end
	}
	if at < end || len(all) == 0 {
		all = append(all, interval{at, end, ""})
	}
	return all
}
