package speech

import "strconv"

// Anonymous is the transcript with its speakers called A, B, … in the order in which they come first, so that it says who of them
// speaks and not who they are. A transcript that knows of one speaker alone says nothing of them.
func (t Transcript) Anonymous() Transcript {
	names := map[string]string{"": ""}
	for _, s := range t {
		if _, known := names[s.Speaker]; !known {
			names[s.Speaker] = speakerName(len(names) - 1)
		}
	}
	anonymous := make(Transcript, len(t))
	for i, s := range t {
		s.Speaker = names[s.Speaker]
		if len(names) == 2 {
			s.Speaker = ""
		}
		anonymous[i] = s
	}
	return anonymous
}

// speakerName is the name of the nth speaker: A to Z, then A2, B2, …
func speakerName(n int) string {
	name := string(rune('A' + n%26))
	if n >= 26 {
		name += strconv.Itoa(n/26 + 1)
	}
	return name
}
