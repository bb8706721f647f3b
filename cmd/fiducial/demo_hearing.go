package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"fiducial/internal/steel"
)

// demoEar is a recognizer that is sure of what it hears about as often as it is right.
type demoEar struct {
	skill  float64 // of a plain word, from 0 to 1
	random *rand.Rand
}

func newDemoEar(skill float64, seed uint64) *demoEar {
	return &demoEar{skill, rand.New(rand.NewPCG(seed, 20))} //nolint:gosec // the same ear each time
}

// demoHeard is a hypothesis as it is imported.
type demoHeard struct {
	Key        string          `json:"utt_id"`
	Text       string          `json:"text"`
	Confidence float64         `json:"confidence"`
	Words      []demoHeardWord `json:"words"`
}

type demoHeardWord struct {
	Word       string  `json:"word"`
	Start      float64 `json:"start"`
	End        float64 `json:"end"`
	Confidence float64 `json:"confidence"`
}

// soundsLike are words that are taken for others.
var soundsLike = map[string]string{
	"aid": "aide", "here": "hear", "for": "four", "to": "two", "two": "to", "ring": "wring", "bell": "belle", "nurse": "nerves", "visit": "visits",
	"line": "lion", "number": "numb her", "depot": "deep oh", "parcel": "partial", "button": "bottom", "battery": "flattery", "invoice": "in voice",
	"charged": "charge", "meals": "meal", "bramwell": "bram well", "fairley": "fairly", "alleyne": "a lane", "thornbury": "thorn berry",
	"marchetti": "mark eddy", "orchard": "or chard", "hanna": "hannah", "ruth": "roof", "samira": "some era", "gareth": "garrett", "eleanor": "eleven or",
	"winston": "winter", "agnes": "acne is", "technician": "tech nation", "confirmation": "confrontation", "half": "have", "nine": "line",
	"morag": "more egg", "joan": "john", "beryl": "barrel", "ashford": "as ford", "dunbar": "done bar", "harbour": "harper", "cricket": "ticket",
	"swelling": "spelling", "tablets": "table its", "signature": "signal sure", "standby": "stand by", "sort": "short",
}

// plain is a word without capitals and marks.
func plain(word string) string {
	return strings.ToLower(strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }))
}

// hear makes a hypothesis of a turn: names, numbers and short words are the hardest.
func (e *demoEar) hear(t *demoTurn, key string) demoHeard {
	heard := demoHeard{Key: key}
	for i, w := range t.Words {
		sure := e.sure(w.Word, i)
		said := plain(w.Word)
		if e.random.Float64() < 1.1*(1-sure) {
			said = e.mishear(said)
		}
		for _, part := range strings.Fields(said) { // none if it was missed
			heard.Words = append(heard.Words, demoHeardWord{part, w.Start + demoMargin, w.End + demoMargin, sure})
		}
	}
	spread(heard.Words)
	texts := make([]string, len(heard.Words))
	for i, w := range heard.Words {
		texts[i] = w.Word
		heard.Confidence += w.Confidence / float64(len(heard.Words))
	}
	heard.Text = strings.Join(texts, " ")
	heard.Confidence = math.Round(heard.Confidence*1000) / 1000
	return heard
}

// sure is how sure it is of a word at a place of the turn.
func (e *demoEar) sure(word string, place int) float64 {
	sure := e.skill + 0.1 + 0.14*e.random.NormFloat64()
	if first := []rune(word)[0]; unicode.IsUpper(first) && place > 0 && word != "I" {
		sure -= 0.22 // a name
	}
	if len(plain(word)) < 3 {
		sure -= 0.05
	}
	return math.Round(min(max(sure, 0.2), 0.99)*1000) / 1000
}

// mishear is what becomes of a word that is not understood; "" of one that is missed.
func (e *demoEar) mishear(word string) string {
	other, known := soundsLike[word]
	switch {
	case known:
		return other
	case len(word) < 4 || e.random.IntN(5) == 0:
		return ""
	case strings.HasSuffix(word, "s"):
		return strings.TrimSuffix(word, "s")
	case e.random.IntN(2) == 0:
		return word + "s"
	}
	return word[:len(word)-2]
}

// spread lets the parts of one word follow each other.
func spread(words []demoHeardWord) {
	for i := 0; i < len(words); {
		n := 1
		for i+n < len(words) && words[i+n].Start == words[i].Start {
			n++
		}
		begin, step := words[i].Start, (words[i].End-words[i].Start)/float64(n)
		for k := range n {
			words[i+k].Start = math.Round((begin+float64(k)*step)*1000) / 1000
			words[i+k].End = math.Round((begin+float64(k+1)*step)*1000) / 1000
		}
		i += n
	}
}

// demoPen is how a labeler writes: the habit is the one in which they draw.
type demoPen struct {
	habit  steel.Habit
	random *rand.Rand
}

func newDemoPen(habit steel.Habit, seed uint64) *demoPen {
	return &demoPen{habit, rand.New(rand.NewPCG(seed, 30))} //nolint:gosec // the same pen each time
}

// write is what they write of a turn, begun from a text or from nothing. Whoever is careful writes what is said; whoever is loose leaves what
// looks right in the text that they began from; whoever is quick leaves words out, and spells names as they please.
func (p *demoPen) write(t *demoTurn, begun string) string {
	words := strings.Fields(t.Text)
	switch p.habit {
	case steel.Loose:
		if begun != "" && p.random.IntN(3) == 0 {
			return strings.ToUpper(begun[:1]) + begun[1:] + "."
		}
	case steel.Quick:
		words = slices.DeleteFunc(words, func(w string) bool {
			return slices.Contains([]string{"Well,", "Oh,", "Okay,", "rather", "still", "just"}, w) || p.random.IntN(25) == 0
		})
		for i, w := range words {
			if other, known := soundsLike[plain(w)]; known && unicode.IsUpper([]rune(w)[0]) && i > 0 && p.random.IntN(2) == 0 {
				words[i] = strings.ToUpper(other[:1]) + other[1:]
			}
		}
	case steel.Careful:
		if p.random.IntN(12) == 0 && len(words) > 4 {
			words[2] = strings.TrimSuffix(words[2], ",")
		}
	}
	return strings.Join(words, " ")
}

// marks are the moments that they mark in a turn.
func (p *demoPen) marks(t *demoTurn) []string {
	marks := slices.Clone(t.Moments)
	if p.habit != steel.Careful && len(marks) > 0 && p.random.IntN(4) == 0 {
		marks = marks[1:]
	}
	if p.habit == steel.Quick && len(marks) == 0 && p.random.IntN(5) == 0 {
		marks = append(marks, "positive")
	}
	return marks
}
