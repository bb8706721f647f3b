package pii

import (
	_ "embed" // the lists are compiled in
)

// The lists: names that are nothing else, names that are words too, and words that are no names after "my name is".
//
//go:embed lists/given.txt
var givenList string

//go:embed lists/given_words.txt
var givenWordsList string

//go:embed lists/surnames.txt
var surnamesList string

//go:embed lists/surname_words.txt
var surnameWordsList string

//go:embed lists/common.txt
var commonList string

var (
	givenNames   = setOf(givenList)
	givenWords   = setOf(givenWordsList)
	surnames     = setOf(surnamesList)
	surnameWords = setOf(surnameWordsList)
	common       = setOf(commonList)
	titles       = setOf("mr mrs ms miss mister missus dr doctor sir herr frau monsieur madame señor señora professor")
)

// isName reports whether a token is a name and, as far as the list knows, nothing else.
func (t tokens) isName(i int) bool {
	word := t[i].text
	return (givenNames[word] || surnames[word]) && !givenWords[word] && !surnameWords[word]
}

// mayBe reports whether a token is a name, or a word that is one as well.
func (t tokens) mayBe(i int) bool {
	word := t[i].text
	return givenNames[word] || surnames[word] || givenWords[word] || surnameWords[word]
}

// unknown reports whether a token is a word that no list has, as rare names are.
func (t tokens) unknown(i int) bool {
	word := t[i].text
	if len([]rune(word)) < 2 || common[word] || months[word] || digitWords[word] != "" || tens[word] != "" {
		return false
	}
	for _, r := range word {
		if !isLetter(r) && r != '\'' && r != '-' {
			return false
		}
	}
	return true
}

// names finds names: after words that announce one, read out letter by letter, and those of the list.
func (t tokens) names() (found []Finding) {
	for i := 0; i < len(t); {
		to, confidence := t.nameAt(i)
		if to < 0 {
			i++
			continue
		}
		found = append(found, finding(t, i, to, Name, confidence))
		i = to + 1
	}
	return found
}

// nameAt returns the token that ends the name which begins at token i, -1 if none does.
func (t tokens) nameAt(i int) (to int, confidence float64) {
	if to := t.spelled(i); to >= 0 {
		return to, 0.85
	}
	sure, confidence := t.announced(i)
	switch {
	case sure && (t.mayBe(i) || t.unknown(i) && !titles[t[i].text]):
		return t.goOn(i, true), confidence
	case t.isName(i) && givenNames[t[i].text]:
		if to := t.goOn(i, false); to > i {
			return to, 0.85
		}
		return i, 0.65
	case t.isName(i):
		return i, 0.55
	case givenWords[t[i].text] && t.follows(i) && t.isName(i+1) && surnames[t[i+1].text]:
		return t.goOn(i, false), 0.75
	}
	return -1, 0
}

// follows reports whether another word comes right after token i.
func (t tokens) follows(i int) bool { return i+1 < len(t) && !t[i].stop && !t[i].comma }

// announced reports whether the words before token i say that a name comes, and how sure that is.
func (t tokens) announced(i int) (bool, float64) {
	before := func(words ...string) bool { return t.says(i-len(words), words...) }
	switch {
	case i > 0 && t[i-1].stop && !titles[t[i-1].text]: // "Mr." ends no sentence
		return false, 0
	case before("name", "is"), before("name's"), before("names"), before("name", "it's"), before("surname", "is"), before("call", "me"),
		before("name", "of"), before("under", "the", "name"), before("goes", "by"):
		return true, 0.95
	case i > 0 && titles[t[i-1].text] && t[i-1].text != "sir" && t[i-1].text != "doctor" && t[i-1].text != "miss",
		before("sir"), before("doctor"), before("miss"):
		known := t.mayBe(i) || t[i-1].text != "sir" && t[i-1].text != "doctor" && t[i-1].text != "miss" && t[i-1].text != "professor"
		return known, 0.9
	case before("first", "name"), before("last", "name"), before("middle", "name"), before("surname"), before("maiden", "name"), before("full", "name"):
		return !common[t[i].text], 0.9
	case before("this", "is"), before("it's"), before("it", "is"), before("here", "is"), before("i'm"), before("i", "am"), before("that's"):
		return t.introduced(i), 0.9
	case before("speaking", "with"), before("speaking", "to"), before("speak", "with"), before("speak", "to"), before("spoke", "to"), before("spoke", "with"),
		before("talking", "to"), before("talked", "to"), before("thanks"), before("hi"), before("hello"), before("dear"), before("ask", "for"), before("thank", "you"):
		return t.mayBe(i) && !t.isWordHere(i), 0.85
	}
	return false, 0
}

// introduced reports whether a word after "this is" or "I'm" is how somebody calls themselves: a name of the list, or any word of which they
// say that they are speaking.
func (t tokens) introduced(i int) bool {
	if common[t[i].text] {
		return false
	}
	for at := i + 1; at < len(t) && at <= i+3; at++ {
		switch t[at].text {
		case "speaking":
			return true
		case "calling", "from", "here":
			return t.mayBe(i) || t[i].capital || t[at].text == "calling" && at <= i+2 && t.mayBe(at-1)
		}
		if t[at-1].stop {
			break
		}
	}
	return t.isName(i) || givenWords[t[i].text] && t.follows(i) && t.mayBe(i+1)
}

// isWordHere reports whether a name that is a word as well is used as that: "speak to will be".
func (t tokens) isWordHere(i int) bool {
	return !t.isName(i) && t.follows(i) && common[t[i+1].text] && t[i+1].text != "from" && t[i+1].text != "about" && t[i+1].text != "in" && t[i+1].text != "and"
}

// goOn goes on from the first word of a name over those that belong to it: at most three more. After words that announced it also over such
// that no list has.
func (t tokens) goOn(i int, announced bool) int {
	to := i
	for to < i+3 && t.follows(to) {
		next := to + 1
		word := t[next].text
		switch {
		case setOf("van von de da del dos der al el bin ibn le la mac di")[word] && next+1 < len(t) && (t.mayBe(next+1) || t.unknown(next+1)):
			to = next + 1
			continue
		case surnames[word] && !surnameWords[word], surnameWords[word] && !t.isWordHere(next) && !common[word],
			givenNames[word] && !givenWords[word]:
			to = next
			continue
		case announced && t.unknown(next) && !titles[word] && !t.verbish(next):
			to = next
			continue
		case len(word) == 1 && word != "a" && word != "i" && t.follows(next) && (surnames[t[next+1].text] || surnameWords[t[next+1].text]):
			to = next + 1
			continue
		}
		break
	}
	return to
}

// verbish reports whether an unknown word reads as a verb or an adverb that goes on with the sentence.
func (t tokens) verbish(i int) bool {
	runes := []rune(t[i].text)
	for _, ending := range []string{"ing", "ly", "ed", "n't"} {
		if n := len([]rune(ending)); len(runes) > n+2 && string(runes[len(runes)-n:]) == ending {
			return true
		}
	}
	return !t[i].capital && (i+1 >= len(t) || !t.follows(i) || common[t[i+1].text]) && len(runes) < 4
}

// spelled returns the token that ends letters which are read out as a name from token i on, -1 if none are.
func (t tokens) spelled(i int) int {
	if i > 0 && len([]rune(t[i-1].text)) == 1 && isLetter([]rune(t[i-1].text)[0]) && !t[i-1].stop {
		return -1 // in the middle of some
	}
	letters, to := 0, -1
	for at := i; at < len(t); at++ {
		runes := []rune(t[at].text)
		switch {
		case len(runes) == 1 && isLetter(runes[0]):
			letters++
			to = at
		case t[at].text == "double" && letters > 0 && at+1 < len(t) && len([]rune(t[at+1].text)) == 1:
			letters++
		default:
			at = len(t)
			continue
		}
		if t[at].stop {
			break
		}
	}
	if letters < 3 || t.cue(i, 12, setOf("spell spelled spelt spelling spells name names surname that's letters")) < 0 && (i == 0 || !t.mayBe(i-1)) {
		return -1
	}
	return to
}
