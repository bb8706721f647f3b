package speech

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules are those of a project's transcription rules that a machine can check while somebody writes. The zero value
// asks for nothing. assets/src/transcript/rules.ts checks the same in the browser; testdata/rules.json holds both to it.
type Rules struct {
	Numbers        string     `json:"numbers,omitempty"`        // "words" or "digits"
	Casing         string     `json:"casing,omitempty"`         // "lower", "upper", or "sentence": it begins with a capital
	Punctuation    string     `json:"punctuation,omitempty"`    // "none", or "these": Marks alone
	Marks          string     `json:"marks,omitempty"`          // the punctuation that may be, such as ".,?"
	Forbidden      string     `json:"forbidden,omitempty"`      // characters that may not be
	Tags           []Tag      `json:"tags,omitempty"`           // those that may be; without any, all may
	Unintelligible string     `json:"unintelligible,omitempty"` // the tag for what nobody can make out; "" is DefaultUnintelligible
	Spellings      []Spelling `json:"spellings,omitempty"`
}

// Tag is what is written for a sound that is no word, in brackets, such as [noise].
type Tag struct {
	Text  string `json:"text"`
	Key   string `json:"key,omitempty"` // one letter or digit that enters it, or none
	About string `json:"about,omitempty"`
}

// Spelling says how a word is written.
type Spelling struct {
	Write string `json:"write"`
	Not   string `json:"not"`
}

// DefaultUnintelligible is the tag for what nobody can make out where the rules name no other.
const DefaultUnintelligible = "[unintelligible]"

// NoSpeech is the tag for an utterance in which nothing is said: rules always allow it, so that nobody has to leave one empty.
const NoSpeech = "[no speech]"

// The rules that a finding can be about.
const (
	RuleNumbers     = "numbers"
	RuleCasing      = "casing"
	RulePunctuation = "punctuation"
	RuleForbidden   = "forbidden"
	RuleTag         = "tag"
	RuleSpelling    = "spelling"
)

// Finding is a place of a text that breaks a rule. First and Last count runes; Last is the one after the place. Sentence says
// what to do, in words of the rule alone.
type Finding struct {
	First    int    `json:"first"`
	Last     int    `json:"last"`
	Rule     string `json:"rule"`
	Sentence string `json:"sentence"`
}

// UnintelligibleTag is the tag for what nobody can make out.
func (r Rules) UnintelligibleTag() string { return cmp.Or(r.Unintelligible, DefaultUnintelligible) }

// Check returns what of a text breaks the rules, in the order of the text. Inside a tag no other rule holds.
func (r Rules) Check(text string) []Finding {
	c := ruleCheck{Rules: r, runes: []rune(text)}
	c.inTag = make([]bool, len(c.runes))
	c.tags()
	c.numbers()
	c.casing()
	c.marks()
	c.spellings()
	slices.SortStableFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	return c.findings
}

// ruleCheck is one text as its rules are checked.
type ruleCheck struct {
	Rules
	runes    []rune
	inTag    []bool
	findings []Finding
}

func (c *ruleCheck) find(first, last int, rule, sentence string) {
	c.findings = append(c.findings, Finding{first, last, rule, sentence})
}

// closer is the bracket that ends a tag.
var closer = map[rune]rune{'<': '>', '[': ']', '{': '}'}

// tags marks what stands in brackets, and finds tags that may not be and brackets that nothing closes.
func (c *ruleCheck) tags() {
	limited := len(c.Tags) > 0
	for i := 0; i < len(c.runes); i++ {
		end, opens := closer[c.runes[i]]
		if !opens {
			continue
		}
		length := slices.Index(c.runes[i:], end)
		if length < 0 {
			if limited {
				c.find(i, i+1, RuleTag, "Close this tag, or take its bracket out.")
			}
			continue
		}
		last := i + length + 1
		for at := i; at < last; at++ {
			c.inTag[at] = true
		}
		if limited && !c.allowed(string(c.runes[i:last])) {
			c.find(i, last, RuleTag, "This tag is not one of the rules'. Choose one of theirs.")
		}
		i = last - 1
	}
}

func (c *ruleCheck) allowed(tag string) bool {
	return tag == c.UnintelligibleTag() || tag == NoSpeech || slices.ContainsFunc(c.Tags, func(t Tag) bool { return t.Text == tag })
}

// words calls each with the span of every stretch of letters, digits and what belongs to a word with them, outside of tags.
func (c *ruleCheck) words(each func(first, last int)) {
	for i := 0; i < len(c.runes); {
		if !c.inWordAt(i) {
			i++
			continue
		}
		first := i
		for i < len(c.runes) && c.inWordAt(i) {
			i++
		}
		each(first, i)
	}
}

func (c *ruleCheck) inWordAt(i int) bool { return !c.inTag[i] && inWord(c.runes, i) }

// numberWords are the English words that are read as a number wherever they stand; "one" is not among them.
var numberWords = strings.Fields(`zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
	eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion`)

func (c *ruleCheck) numbers() {
	switch c.Numbers {
	case "words":
		c.words(func(first, last int) {
			if slices.ContainsFunc(c.runes[first:last], unicode.IsDigit) {
				c.find(first, last, RuleNumbers, "Write numbers in words.")
			}
		})
	case "digits":
		c.words(func(first, last int) {
			parts := strings.Split(lowered(c.runes[first:last]), "-")
			if slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(numberWords, part) }) {
				c.find(first, last, RuleNumbers, "Write numbers in digits.")
			}
		})
	}
}

// lowered writes every rune small by itself, so that as many come out as went in.
func lowered(runes []rune) string {
	small := make([]rune, len(runes))
	for i, r := range runes {
		small[i] = straight(unicode.ToLower(r))
	}
	return string(small)
}

func (c *ruleCheck) casing() {
	switch c.Casing {
	case "lower":
		c.words(func(first, last int) {
			if slices.ContainsFunc(c.runes[first:last], unicode.IsUpper) {
				c.find(first, last, RuleCasing, "Write in small letters.")
			}
		})
	case "upper":
		c.words(func(first, last int) {
			if slices.ContainsFunc(c.runes[first:last], unicode.IsLower) {
				c.find(first, last, RuleCasing, "Write in capitals.")
			}
		})
	case "sentence":
		for i, r := range c.runes {
			if c.inWordAt(i) {
				if unicode.IsLower(r) {
					c.find(i, i+1, RuleCasing, "Begin with a capital.")
				}
				return
			}
		}
	}
}

// marks finds characters that may not be and, outside of words, punctuation that may not be.
func (c *ruleCheck) marks() {
	for i, r := range c.runes {
		if c.inTag[i] {
			continue
		}
		if strings.ContainsRune(c.Forbidden, r) {
			c.find(i, i+1, RuleForbidden, "The rules do without this character. Take it out.")
			continue
		}
		if c.Punctuation == "" || inWord(c.runes, i) || !unicode.IsPunct(r) && !unicode.IsSymbol(r) {
			continue
		}
		if c.Punctuation == "none" {
			c.find(i, i+1, RulePunctuation, "Write without punctuation.")
		} else if !strings.ContainsRune(c.Marks, r) {
			c.find(i, i+1, RulePunctuation, "Of punctuation the rules have "+strings.Join(strings.Split(c.Marks, ""), " ")+" alone.")
		}
	}
}

// spellings finds words that the rules have written otherwise, whatever their capitals, unless it is only these in which what is
// written and what should be differ and they are right.
func (c *ruleCheck) spellings() {
	for _, s := range c.Spellings {
		not, write := []rune(lowered([]rune(s.Not))), []rune(s.Write)
		if len(not) == 0 {
			continue
		}
		for i := 0; i+len(not) <= len(c.runes); i++ {
			last := i + len(not)
			if c.inTag[i] || lowered(c.runes[i:last]) != string(not) || !c.bounded(i, last) || c.begins(i, write) {
				continue
			}
			c.find(i, last, RuleSpelling, fmt.Sprintf("Write “%s”, not “%s”.", s.Write, s.Not))
			i = last - 1
		}
	}
}

// bounded reports whether no word goes on over either end of a place.
func (c *ruleCheck) bounded(first, last int) bool {
	before := first > 0 && c.inWordAt(first-1) && inWord(c.runes, first)
	after := last < len(c.runes) && c.inWordAt(last) && inWord(c.runes, last-1)
	return !before && !after
}

func (c *ruleCheck) begins(i int, with []rune) bool {
	return i+len(with) <= len(c.runes) && slices.Equal(c.runes[i:i+len(with)], with)
}

// Bounds of what rules may hold.
const (
	mostTags      = 40
	mostSpellings = 500
	longestRule   = 60 // runes of a tag, of a word
)

// Fault says what is wrong with the rules themselves, and of which of their fields, or "".
func (r Rules) Fault() (field, sentence string) {
	oneOf := func(value string, values ...string) bool { return value == "" || slices.Contains(values, value) }
	switch {
	case !oneOf(r.Numbers, "words", "digits"):
		return "numbers", "Choose numbers in words, in digits, or either."
	case !oneOf(r.Casing, "lower", "upper", "sentence"):
		return "casing", "Choose small letters, capitals, a capital at the beginning, or any."
	case !oneOf(r.Punctuation, "none", "these"):
		return "punctuation", "Choose no punctuation, some marks, or any."
	case r.Punctuation == "these" && strings.TrimSpace(r.Marks) == "":
		return "marks", "Say which marks may be written."
	case strings.ContainsFunc(r.Forbidden, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsSpace(c) }):
		return "forbidden", "Letters and spaces cannot be forbidden. Take them out."
	case r.Unintelligible != "" && !isTag(r.Unintelligible):
		return "unintelligible", "Write the tag in brackets, such as " + DefaultUnintelligible + "."
	}
	if fault := r.tagFault(); fault != "" {
		return "tags", fault
	}
	return "spellings", r.spellingFault()
}

func isTag(text string) bool {
	runes := []rune(text)
	if len(runes) < 3 || len(runes) > longestRule {
		return false
	}
	end, opens := closer[runes[0]]
	return opens && slices.Index(runes, end) == len(runes)-1
}

func (r Rules) tagFault() string {
	if len(r.Tags) > mostTags {
		return fmt.Sprintf("Keep to %d tags.", mostTags)
	}
	texts, keys := map[string]bool{}, map[string]bool{}
	for _, t := range r.Tags {
		switch {
		case !isTag(t.Text):
			return fmt.Sprintf("“%s” is no tag. Write it in brackets, such as [noise].", t.Text)
		case texts[t.Text]:
			return fmt.Sprintf("%s is there twice. Take one out.", t.Text)
		case t.Key != "" && !isKey(t.Key):
			return fmt.Sprintf("The key of %s is one letter from a to z, or one digit.", t.Text)
		case t.Key != "" && keys[t.Key]:
			return fmt.Sprintf("Two tags have the key %s. Give each its own.", t.Key)
		}
		texts[t.Text], keys[t.Key] = true, true
	}
	return ""
}

func isKey(key string) bool { return len(key) == 1 && isLowerAlphanumeric(key[0]) }

func (r Rules) spellingFault() string {
	if len(r.Spellings) > mostSpellings {
		return fmt.Sprintf("Keep to %d spellings.", mostSpellings)
	}
	for _, s := range r.Spellings {
		switch {
		case s.Write == "" || s.Not == "":
			return "A spelling needs both: what to write, and what not."
		case s.Write == s.Not:
			return fmt.Sprintf("“%s” cannot be both right and wrong. Change one side.", s.Write)
		case utf8.RuneCountInString(s.Write) > longestRule || utf8.RuneCountInString(s.Not) > longestRule:
			return fmt.Sprintf("Keep each side of a spelling under %d characters.", longestRule)
		}
	}
	return ""
}
