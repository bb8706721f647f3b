package speech

import "strings"

// Lines says in sentences what is checked, one a line.
func (r Rules) Lines() (lines []string) {
	add := func(line string) { lines = append(lines, line) }
	switch r.Numbers {
	case "words":
		add("Numbers in words.")
	case "digits":
		add("Numbers in digits.")
	}
	switch r.Casing {
	case "lower":
		add("Small letters throughout.")
	case "upper":
		add("Capitals throughout.")
	case "sentence":
		add("A capital at the beginning.")
	}
	switch r.Punctuation {
	case "none":
		add("No punctuation, but inside of words.")
	case "these":
		add("Of punctuation " + strings.Join(strings.Split(r.Marks, ""), " ") + " alone.")
	}
	if r.Forbidden != "" {
		add("Never " + strings.Join(strings.Split(r.Forbidden, ""), " ") + ".")
	}
	for _, t := range r.Tags {
		line := t.Text
		if t.Key != "" {
			line += " (key " + t.Key + ")"
		}
		if t.About != "" {
			line += ": " + t.About
		}
		add(line)
	}
	add(r.UnintelligibleTag() + ": what nobody can make out")
	for _, s := range r.Spellings {
		add("“" + s.Write + "”, not “" + s.Not + "”")
	}
	return lines
}

// ReadTags reads tags as people write them: one a line, in brackets, then its key if it has one, then what it is for.
func ReadTags(text string) (tags []Tag) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		tag := Tag{Text: line}
		if end, opens := closer[[]rune(line)[0]]; opens {
			if at := strings.IndexRune(line, end); at >= 0 {
				tag.Text, tag.About = line[:at+1], strings.TrimSpace(line[at+1:])
			}
		}
		if first, rest, _ := strings.Cut(tag.About, " "); isKey(first) {
			tag.Key, tag.About = first, strings.TrimSpace(rest)
		}
		tags = append(tags, tag)
	}
	return tags
}

// WriteTags is the other way round.
func WriteTags(tags []Tag) string {
	var lines []string
	for _, t := range tags {
		lines = append(lines, strings.Join(strings.Fields(t.Text+" "+t.Key+" "+t.About), " "))
	}
	return strings.Join(lines, "\n")
}

// ReadSpellings reads spellings as people write them: one a line, what not to write, an arrow, and what to write.
func ReadSpellings(text string) (spellings []Spelling) {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		not, write, _ := strings.Cut(strings.ReplaceAll(line, "→", "->"), "->")
		spellings = append(spellings, Spelling{Write: tidy(write), Not: tidy(not)})
	}
	return spellings
}

// WriteSpellings is the other way round.
func WriteSpellings(spellings []Spelling) string {
	var lines []string
	for _, s := range spellings {
		lines = append(lines, s.Not+" -> "+s.Write)
	}
	return strings.Join(lines, "\n")
}

// Change is a line that two texts have in common, or that one of them alone has.
type Change struct {
	Sign string // "+", "-" or " "
	Text string
}

// mostCompared bounds how many lines of a text are compared with the other's.
const mostCompared = 1000

// Changes lists what has to be done line by line to make one text the other: the fewest lines that go and come.
func Changes(from, to []string) (changes []Change) {
	from, to = from[:min(len(from), mostCompared)], to[:min(len(to), mostCompared)]
	common := make([][]int, len(from)+1) // of what follows
	for i := range common {
		common[i] = make([]int, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i] == to[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(from) || j < len(to) {
		switch {
		case i < len(from) && j < len(to) && from[i] == to[j]:
			changes = append(changes, Change{" ", from[i]})
			i, j = i+1, j+1
		case j == len(to) || i < len(from) && common[i+1][j] >= common[i][j+1]:
			changes = append(changes, Change{"-", from[i]})
			i++
		default:
			changes = append(changes, Change{"+", to[j]})
			j++
		}
	}
	return changes
}
