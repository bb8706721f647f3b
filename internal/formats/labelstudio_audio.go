package formats

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The names that the written tasks of sound and their labeling interface share.
const (
	labelStudioAudio  = "audio"
	labelStudioText   = "transcription"
	labelStudioSpeech = "Speech" // the label of a region whose speaker is not known
)

// ReadLabelStudioAudio reads a list of tasks in Label Studio's own JSON whose data is sound, and yields the
// recording of each with the regions of one annotation: the one marked as ground truth, else the newest. The results of a region share
// its id: its text is that of its text areas, its speaker its label. Each region with a text is a segment; a text without a region is
// one of the whole recording, whose end is 0 where the task does not say how long it is. Labels of a region without a text, and choices of
// one, are moments; choices without a region are of the whole recording. Results of other types are left out by name. A task that was skipped, or has no annotation, is yielded without segments, which are then Unwritten.
func ReadLabelStudioAudio(r io.Reader, yield func(Recording) error) (Report, error) {
	var report Report
	decoder := json.NewDecoder(r)
	token, err := decoder.Token()
	if err != nil {
		return report, fmt.Errorf("this is no JSON of Label Studio: %w", err)
	}
	if token != json.Delim('[') {
		return report, errors.New("this is no JSON of Label Studio: expected a list of tasks")
	}
	for number := 1; decoder.More(); number++ {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return report, fmt.Errorf("task number %d: %w", number, err)
		}
		place := "task number " + strconv.Itoa(number) + " of the list"
		var task audioTask
		if err := json.Unmarshal(raw, &task); err != nil {
			report.Add(Refused, place, "it is no task of Label Studio: "+err.Error())
			continue
		}
		if id := scalar(task.ID); id != "" {
			place = "task " + id
		}
		recording, err := task.recording(&report, place)
		if err != nil {
			report.Add(Refused, place, err.Error())
			continue
		}
		if err := yield(recording); err != nil {
			return report, err
		}
	}
	_, err = decoder.Token()
	return report, err
}

// audioTask is a task as Label Studio writes it.
type audioTask struct {
	ID          json.RawMessage            `json:"id"`
	Data        map[string]json.RawMessage `json:"data"`
	Annotations []audioAnswer              `json:"annotations"`
	Completions []audioAnswer              `json:"completions"`
}

type audioAnswer struct {
	Cancelled   bool          `json:"was_cancelled"`
	GroundTruth bool          `json:"ground_truth"`
	Updated     string        `json:"updated_at"`
	Result      []audioResult `json:"result"`
}

type audioResult struct {
	ID     string     `json:"id"`
	Type   string     `json:"type"`
	Length float64    `json:"original_length"`
	Value  audioValue `json:"value"`
}

type audioValue struct {
	Start   *float64        `json:"start"`
	End     *float64        `json:"end"`
	Channel int             `json:"channel"`
	Text    json.RawMessage `json:"text"`
	Labels  []string        `json:"labels"`
	Choices []string        `json:"choices"`
}

// text is the text of a text area: one, or a list of lines.
func (v audioValue) text() string {
	var lines []string
	if json.Unmarshal(v.Text, &lines) == nil {
		return cleanSpeech(strings.Join(lines, " "))
	}
	return scalar(v.Text)
}

// recording is the recording of a task.
func (t *audioTask) recording(report *Report, place string) (Recording, error) {
	key, err := t.key(report, place)
	if err != nil {
		return Recording{}, err
	}
	recording := Recording{Key: key}
	answer := t.answer()
	if answer == nil {
		recording.Segments = []Segment{{Unwritten: true}}
		return recording, nil
	}
	for _, result := range answer.Result {
		recording.Duration = max(recording.Duration, result.Length)
	}
	recording.Segments, recording.Moments = answer.segments(report, place, recording.Duration)
	return recording, nil
}

// key finds the sound among the task's data: under "audio", else the first by name that looks like a file of sound.
func (t *audioTask) key(report *Report, place string) (string, error) {
	names := make([]string, 0, len(t.Data))
	for name := range t.Data {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == labelStudioAudio:
			return -1
		case b == labelStudioAudio:
			return 1
		}
		return cmp.Compare(a, b)
	})
	for _, name := range names {
		address := scalar(t.Data[name])
		if address == "" || name != labelStudioAudio && len(path.Ext(address)) < 3 {
			continue
		}
		sound, _, err := labelStudioName(address)
		if err != nil {
			return "", err
		}
		return soundKey(report, place, sound)
	}
	return "", errors.New("there is no audio in its data")
}

// answer is the annotation that counts, nil if there is none.
func (t *audioTask) answer() (best *audioAnswer) {
	answers := append(t.Annotations, t.Completions...)
	for i := range answers {
		a := &answers[i]
		if a.Cancelled {
			continue
		}
		if best == nil || a.GroundTruth && !best.GroundTruth || a.GroundTruth == best.GroundTruth && a.Updated >= best.Updated {
			best = a
		}
	}
	return best
}

// audioRegion is what the results of one id say.
type audioRegion struct {
	id         string
	start, end *float64
	channel    int
	texts      []string
	labels     []string
	choices    []string
	others     []string
}

func (a *audioAnswer) segments(report *Report, place string, duration float64) (segments []Segment, moments []Moment) {
	split := false // channels are told apart: then the first is 1
	for _, region := range a.regions() {
		split = split || region.channel > 0
		for _, other := range region.others {
			report.Add(LeftOut, place, "a result of the type "+other)
		}
		if found := region.moments(duration); len(found) > 0 {
			if err := checkMoments(found); err != nil {
				report.Add(Refused, place+", region "+region.id, err.Error())
				continue
			}
			moments = append(moments, found...)
		} else if len(region.texts) == 0 && (region.start != nil || len(region.choices) > 0) {
			report.Add(LeftOut, place, "a region without a text and without a label, or a choice of a recording whose length is not known")
		}
		if len(region.texts) == 0 {
			continue
		}
		s := Segment{End: duration, Channel: region.channel + 1, Text: strings.Join(region.texts, " ")}
		if region.start != nil && region.end != nil {
			s.Start, s.End = *region.start, *region.end
		}
		if err := checkSpan(s.Start, s.End); err != nil {
			report.Add(Refused, place+", region "+region.id, err.Error())
			continue
		}
		for _, label := range region.labels {
			if label != labelStudioSpeech {
				s.Speaker = label
			}
		}
		segments = append(segments, s)
	}
	if !split {
		for i := range segments {
			segments[i].Channel = 0
		}
		for i := range moments {
			moments[i].Channel = 0
		}
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return cmp.Compare(a.Begin, b.Begin) })
	slices.SortStableFunc(segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Channel, b.Channel))
	})
	return segments, moments
}

// moments are what a region says beside its text: its choices, and without a text its labels. Without times they are of the whole recording.
func (r *audioRegion) moments(duration float64) (moments []Moment) {
	names := r.choices
	if len(r.texts) == 0 {
		names = slices.Concat(slices.DeleteFunc(slices.Clone(r.labels), func(l string) bool { return l == labelStudioSpeech }), names)
	}
	m := Moment{End: duration, Channel: r.channel + 1}
	if r.start != nil && r.end != nil {
		m.Begin, m.End = *r.start, *r.end
	} else {
		m.Channel = 0
	}
	if m.End == 0 {
		return nil
	}
	for _, name := range names {
		m.Class = name
		moments = append(moments, m)
	}
	return moments
}

func checkMoments(moments []Moment) error {
	for _, m := range moments {
		if err := checkSpan(m.Begin, m.End); err != nil {
			return err
		}
	}
	return nil
}

// regions gathers the results by their ids, in the order in which they come first.
func (a *audioAnswer) regions() (regions []*audioRegion) {
	byID := map[string]*audioRegion{}
	for i, result := range a.Result {
		id := result.ID
		if id == "" {
			id = "number " + strconv.Itoa(i+1)
		}
		region := byID[id]
		if region == nil {
			region = &audioRegion{id: cleanText(id)}
			byID[id] = region
			regions = append(regions, region)
		}
		if v := result.Value; v.Start != nil && v.End != nil {
			region.start, region.end, region.channel = v.Start, v.End, max(region.channel, min(v.Channel, mostChannelsOfTask))
		}
		switch text := result.Value.text(); {
		case result.Type == "textarea" && text != "":
			region.texts = append(region.texts, text)
		case result.Type == "textarea":
		case result.Type == "choices":
			for _, choice := range result.Value.Choices {
				region.choices = append(region.choices, cleanSpeech(choice))
			}
		case strings.HasSuffix(result.Type, "labels"):
			for _, label := range result.Value.Labels {
				region.labels = append(region.labels, cleanSpeech(label))
			}
		default:
			region.others = append(region.others, cleanText(result.Type))
		}
	}
	return regions
}

// mostChannelsOfTask bounds the number of a channel.
const mostChannelsOfTask = 1023

// WriteLabelStudioAudio writes tasks in Label Studio's own JSON, each with one annotation that is marked as ground truth and a
// region for each segment: its text, and as its label its speaker, or that it is speech. Recordings are addressed as files that
// Label Studio serves from a folder of its machine, by their keys. Times of words are lost, and a segment that is not to be scored is
// left out.
func WriteLabelStudioAudio(w io.Writer, recordings iter.Seq2[Recording, error]) (Report, error) {
	t := newTranscriptWriter(w)
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	t.printf("[")
	n := 0
	for recording, err := range recordings {
		if err != nil {
			return t.report, err
		}
		if n++; n > 1 {
			t.printf(",")
		}
		if t.err == nil {
			t.err = encoder.Encode(t.audioTask(n, &recording))
		}
	}
	t.printf("]\n")
	return t.finish()
}

func (t *transcriptWriter) audioTask(id int, recording *Recording) map[string]any {
	result := []map[string]any{}
	for i, s := range recording.Segments {
		if t.skips(recording.Key, s) || s.Unwritten {
			continue
		}
		t.lose(recording.Key, s, true, false, false, true)
		region := fmt.Sprintf("segment-%d", i+1)
		label := s.Speaker
		if label == "" {
			label = labelStudioSpeech
		}
		add := func(from, kind, field string, values []string) {
			row := map[string]any{
				"id": region, "from_name": from, "to_name": labelStudioAudio, "type": kind,
				"value": map[string]any{"start": s.Start, "end": s.End, "channel": max(s.Channel-1, 0), field: values},
			}
			if recording.Duration > 0 {
				row["original_length"] = recording.Duration
			}
			result = append(result, row)
		}
		add(labelStudioLabels, "labels", "labels", []string{label})
		add(labelStudioText, "textarea", "text", []string{s.Text})
	}
	return map[string]any{
		"id": id, "data": map[string]string{labelStudioAudio: labelStudioAddress(recording.Key)},
		"annotations": []map[string]any{{"id": id, "was_cancelled": false, "ground_truth": true, "result": result}}, "predictions": []int{},
	}
}

// WriteLabelStudioAudioInterface writes the labeling interface of a project that takes the tasks of WriteLabelStudioAudio with these
// speakers.
func WriteLabelStudioAudioInterface(w io.Writer, speakers []string) error {
	var labels strings.Builder
	for _, speaker := range append([]string{labelStudioSpeech}, speakers...) {
		labels.WriteString("    <Label value=\"" + xmlAttribute.Replace(speaker) + "\"></Label>\n")
	}
	_, err := fmt.Fprintf(w, `<View>
  <Labels name=%q toName=%q>
%s  </Labels>
  <Audio name=%[2]q value="$%[2]s"></Audio>
  <TextArea name=%[4]q toName=%[2]q perRegion="true" editable="true"></TextArea>
</View>
`, labelStudioLabels, labelStudioAudio, labels.String(), labelStudioText)
	return err
}

var xmlAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")
