package store

import (
	"context"
	"fmt"
	"path"

	"fiducial/internal/formats"
	"fiducial/internal/speech"
)

func (b *speechBatch) decideUtterances(ctx context.Context) error {
	for i := range b.utterances {
		if err := b.decideUtterance(ctx, &b.utterances[i]); err != nil {
			return err
		}
	}
	return nil
}

// decideUtterance says what is to be done about one utterance, and what its result is.
func (b *speechBatch) decideUtterance(ctx context.Context, u *ImportUtterance) error {
	first := len(b.results)
	b.results = append(b.results, u.Losses...)
	if u.Fault != "" {
		b.refuse(u.Name, u.Fault, 0)
		return nil
	}
	item, recording, err := b.find(ctx, u)
	if err != nil {
		return err
	}
	p := &utterancePlan{key: b.freeKey(u), item: item, recording: recording, metadata: u.Metadata, first: first}
	if reason := b.closed(u, p); reason != "" {
		b.results = b.results[:first]
		b.refuse(u.Name, reason, p.itemID())
		return nil
	}
	if recording == nil {
		p.recording = b.newRecording(u.Sound)
	}
	reason, err := b.planWords(ctx, u, p)
	if err != nil {
		return err
	}
	if reason != "" {
		b.refuse(u.Name, reason, p.itemID())
		return nil
	}
	p.group = b.groupOf(u, p.recording)
	if item == nil && p.key != u.Keys[0] {
		b.results = append(b.results, ImportResult{Name: u.Name, Outcome: OutcomeLost, Reason: fmt.Sprintf(
			"renamed: another utterance is called %s, so that this one is called %s", u.Keys[0], p.key)})
	}
	b.accept(u.Name, p)
	return nil
}

func (p *utterancePlan) itemID() int64 {
	if p.item == nil {
		return 0
	}
	return p.item.Item
}

// find returns the item that the utterance is about, and the recording that it is, or will be, a part of; nil for what there is not.
func (b *speechBatch) find(ctx context.Context, u *ImportUtterance) (item *knownUtterance, recording *knownRecording, err error) {
	if u.Sound != "" {
		recording = b.recordings[string(keyHash(b.run.secret, u.Sound))]
	}
	for i, key := range u.Keys {
		item := b.items[string(keyHash(b.run.secret, key))]
		// Files call several utterances the same; then the path tells.
		others := item != nil && i+1 < len(u.Keys) && (b.run.taken[item.Item] != "" || recording != nil && recording.ID != item.Recording)
		if item != nil && !others {
			return item, b.byID[item.Recording], nil
		}
	}
	if recording == nil && u.Alike != nil {
		if recording, item, err = b.alike(ctx, u.Sound == "", u.Alike); err != nil {
			return nil, nil, err
		}
	}
	if recording == nil || item != nil || u.Sound == "" {
		return item, recording, nil
	}
	for _, known := range recording.items {
		if recording.matches(&known.span, &span{Channel: u.Channel, Begins: u.Begins, Ends: u.Ends}) {
			return known, recording, nil
		}
	}
	return nil, recording, nil
}

// freeKey is the first of the utterance's keys that no other utterance has.
func (b *speechBatch) freeKey(u *ImportUtterance) string {
	for _, key := range u.Keys {
		hash := keyHash(b.run.secret, key)
		if b.items[string(hash)] == nil && !b.planned[string(hash)] && b.run.pretendedItems[string(hash)] == "" {
			return key
		}
	}
	return u.Keys[0]
}

// closed says why an utterance is refused whatever was written down of it, "" if it is not.
func (b *speechBatch) closed(u *ImportUtterance, p *utterancePlan) string {
	if p.item == nil {
		for _, key := range u.Keys {
			if t, ok := b.tombs[string(keyHash(b.run.secret, key))]; ok {
				return t.refusal()
			}
			if b.redacted[string(keyHash(b.run.secret, key))] {
				return keptRedaction
			}
		}
		name := keyHash(b.run.secret, p.key)
		switch other := b.run.pretendedItems[string(name)]; {
		case u.Sound == "", p.recording == nil && !u.Uploaded && b.run.Purpose == PurposePrediction:
			return "There is no item of this name. Import its recording first."
		case other != "":
			return fmt.Sprintf("It is about the same item as %s of this import.", other)
		case b.planned[string(name)]:
			return "Another line of this import has the same name."
		}
		return ""
	}
	if other, taken := b.run.taken[p.item.Item]; taken {
		return fmt.Sprintf("It is about the same item as %s of this import.", other)
	}
	if b.run.Purpose != PurposeTruth || !u.Written {
		return ""
	}
	switch {
	case p.item.Discarded:
		return "A reviewer has discarded this item."
	case p.item.Touched && p.item.Truth == 0:
		return "People are labeling this item already: their answers decide."
	}
	return ""
}

// newRecording is a recording that the batch makes, unless an utterance before has made it.
func (b *speechBatch) newRecording(path string) *knownRecording {
	hash := keyHash(b.run.secret, path)
	if made := b.recordings[string(hash)]; made != nil {
		return made
	}
	made := &knownRecording{Path: path, State: "awaiting_media", hash: hash}
	b.recordings[string(hash)] = made
	return made
}

// planWords says what becomes of what was written down or heard, and fits it into the recording as far as that is known; it returns
// why it is refused.
func (b *speechBatch) planWords(ctx context.Context, u *ImportUtterance, p *utterancePlan) (refusal string, err error) {
	p.span = span{Channel: u.Channel, Begins: u.Begins, Ends: u.Ends}
	if p.item != nil {
		p.span = p.item.span
	}
	transcript := u.Transcript.Clean()
	if p.recording.ready() {
		if refusal := p.span.fit(p.recording.seconds(), p.recording.Channels); refusal != "" {
			return refusal, nil
		}
		if transcript, refusal = fitTranscript(transcript, *p.span.Ends-*p.span.Begins, p.recording.Channels); refusal != "" {
			return refusal, nil
		}
	}
	if b.erasedPart(p, transcript) {
		return "A part of this was erased on request. Data that must not come back is refused; an admin may allow it for one import.", nil
	}
	switch {
	case b.run.Purpose == PurposeTruth && u.Written:
		return b.planTruth(ctx, u, p, transcript)
	case b.run.Purpose != PurposeTruth && u.Hypothesis != nil:
		same, err := b.sameHypothesis(ctx, p.item, u.Hypothesis)
		p.hypothesis, p.labeled = u.Hypothesis, !same
		return "", err
	}
	return "", nil
}

// erasedPart tells whether a new item, or what was written down of one that is there, is about sound that an erasure overwrote.
func (b *speechBatch) erasedPart(p *utterancePlan, transcript speech.Transcript) bool {
	if len(p.recording.silences) == 0 || b.run.Options.AllowErased || !p.recording.ready() {
		return false
	}
	if p.item == nil {
		return p.recording.silent(p.span.Channel, *p.span.Begins, *p.span.Ends)
	}
	for _, s := range transcript {
		if p.recording.silent(max(p.span.Channel, s.Channel), *p.span.Begins+s.Begin, *p.span.Begins+s.End) {
			return true
		}
	}
	return false
}

func (b *speechBatch) planTruth(ctx context.Context, u *ImportUtterance, p *utterancePlan, transcript speech.Transcript) (refusal string, err error) {
	// How long the utterance is may come out later; what else is wrong is refused now.
	if fault := transcript.Check(longestUtterance, mostChannels); fault != "" {
		return fault, nil
	}
	if err := b.planMoments(ctx, u, p); err != nil {
		return "", err
	}
	same, err := b.sameTranscript(ctx, p.item, transcript)
	if err == nil && same {
		same, err = b.sameMoments(ctx, p.item, p.moments)
	}
	if err != nil {
		return "", err
	}
	if !same && p.item != nil && p.item.Truth != 0 && !p.item.TruthImported {
		return "A reviewer has decided on this item, and that decision stays.", nil
	}
	p.transcript, p.labeled = transcript, !same
	return "", nil
}

// Bounds of what the times and channels of a transcript may be before its recording is known.
const (
	longestUtterance = 1e8 // seconds
	mostChannels     = 1024
)

// accept takes the plan in, with its result.
func (b *speechBatch) accept(name string, p *utterancePlan) {
	result := ImportResult{Name: name, Outcome: OutcomeUnchanged, ItemID: p.itemID(), Boxes: len(p.transcript)}
	switch {
	case p.item == nil:
		result.Outcome = OutcomeAdded
		b.planned[string(keyHash(b.run.secret, p.key))] = true
	case p.labeled:
		result.Outcome = OutcomeChanged
	}
	if p.item != nil {
		b.run.taken[p.item.Item] = name
	}
	p.result = len(b.results)
	b.results = append(b.results, result)
	if p.item == nil || p.labeled {
		b.plans = append(b.plans, p)
	}
}

func (b *speechBatch) decideSounds(ctx context.Context) error {
	for i := range b.sounds {
		if err := b.decideSound(ctx, &b.sounds[i]); err != nil {
			return err
		}
	}
	return nil
}

// decideSound says what is to be done about one file of sound, and what its result is: none if what is about it has a result.
func (b *speechBatch) decideSound(ctx context.Context, s *ImportSound) error {
	if s.Fault != "" {
		b.refuse(s.Name, s.Fault, 0)
		return nil
	}
	recording, err := b.recordingOf(ctx, s)
	if err != nil {
		return err
	}
	if recording == nil {
		b.addSound(s)
		return nil
	}
	item := int64(0)
	if len(recording.items) > 0 {
		item = recording.items[0].Item
	}
	result := ImportResult{Name: s.Name, Outcome: OutcomeChanged, ItemID: item}
	switch {
	case recording.ID == 0:
		result.Outcome, result.Reason = OutcomeRefused, "Another file of this import has the same name."
	case recording.SHA256 != nil && string(recording.SHA256) == string(s.Media.SHA256) && recording.State != "broken":
		result.Outcome = OutcomeUnchanged
	case len(recording.silences) > 0:
		result.Outcome, result.Reason = OutcomeUnchanged, "Parts of this recording were erased; the sound that is left stays."
	case recording.SHA256 != nil && recording.State != "broken":
		result.Outcome, result.Reason = OutcomeRefused, "The recording exists with another sound. Give the new one another name, or erase the old one first."
	default:
		b.attached = append(b.attached, &soundPlan{s, recording})
	}
	if !s.Mentioned || result.Outcome == OutcomeRefused {
		b.results = append(b.results, result)
	}
	return nil
}

// recordingOf finds the recording that a file of sound belongs to: by its path, else by a likeness of names, which does not give
// a recording that has a sound another one.
func (b *speechBatch) recordingOf(ctx context.Context, s *ImportSound) (*knownRecording, error) {
	hash := keyHash(b.run.secret, s.Name)
	if recording := b.recordings[string(hash)]; recording != nil {
		return recording, nil
	}
	if item := b.items[string(hash)]; item != nil {
		return b.byID[item.Recording], nil
	}
	recording, _, err := b.alike(ctx, false, func(m *formats.Media) (string, error) { return m.Find(s.Name) })
	if err == nil && recording == nil { // what is written down may name it without an extension
		recording, _, err = b.alike(ctx, false, func(m *formats.Media) (string, error) {
			return m.Find(s.Name[:len(s.Name)-len(path.Ext(s.Name))])
		})
	}
	if err != nil || recording == nil || recording.SHA256 != nil && string(recording.SHA256) != string(s.Media.SHA256) {
		return nil, err
	}
	return recording, nil
}

// addSound makes a recording of a file of sound, with an item that is the whole of it.
func (b *speechBatch) addSound(s *ImportSound) {
	hash := keyHash(b.run.secret, s.Name)
	if s.Mentioned {
		if b.run.pretendedItems[soundName(hash)] == "" {
			b.refuse(s.Name, "Nothing of what was written down of this recording came in, so that it stays out too.", 0)
		}
		return
	}
	if t, ok := b.tombs[string(hash)]; ok {
		b.refuse(s.Name, t.refusal(), 0)
		return
	}
	if b.redacted[string(hash)] {
		b.refuse(s.Name, keptRedaction, 0)
		return
	}
	p := &utterancePlan{key: s.Name, recording: b.newRecording(s.Name), group: b.run.groupOf(s.Name), first: len(b.results)}
	sha := string(s.Media.SHA256)
	twin, there := b.twins[sha]
	b.accept(s.Name, p)
	switch {
	case twin != 0:
		b.results[p.result].Reason = fmt.Sprintf("Item %d has the same sound, byte for byte.", twin)
	case there || b.run.pretendedMedia[sha]:
		b.results[p.result].Reason = "Another file of this import has the same sound, byte for byte."
	}
	if !there {
		b.twins[sha] = 0
	}
	b.attached = append(b.attached, &soundPlan{s, p.recording})
}
