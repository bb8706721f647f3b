package web

import "fiducial/web/ui"

// soundImports are the formats of files that come into a project of sound.
var soundImports = []labelFormat{
	{
		value: "audio", name: "Recordings alone",
		in: "WAV as it is: PCM, floating point, µ-law, A-law. FLAC, MP3, Ogg, M4A, G.722 and GSM where ffmpeg is on the server. Each becomes an item.",
	},
	{
		value: "nemo", name: "NeMo manifest",
		in: "A JSON line an utterance: audio_filepath, duration, text, and where they are there offset, utt_id and pred_text. Lines with an offset are parts of one recording.",
	},
	{value: "ctm", name: "CTM", in: "A word a line, with the file it is from and its time."},
	{value: "stm", name: "STM", in: "A segment a line, with the file it is from, channel, speaker and times."},
	{value: "vtt", name: "WebVTT", in: "Subtitles, called as their recording is: call.vtt beside call.wav."},
	{value: "srt", name: "SubRip", in: "Subtitles, called as their recording is: call.srt beside call.wav."},
	{value: "textgrid", name: "Praat TextGrid", in: "Tiers of intervals, called as their recording is: call.TextGrid beside call.wav."},
	{
		value: "labelstudio", name: "Label Studio",
		in: "Tasks of sound in Label Studio's own JSON. Every region with a text comes in as a segment; skipped tasks stay unwritten.",
	},
	{
		value: "hypotheses", name: "Hypotheses",
		in: "What a model version heard, a JSON line an utterance: utt_id, text, confidence, words. The utterance is the name of an item, or of its file without the extension.",
	},
}

// importFormatsOf are the choices of a new import into a project of this kind.
func importFormatsOf(kind string) (options []ui.Option) {
	if kind != "audio" {
		return importFormats()
	}
	for _, f := range soundImports {
		options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.in})
	}
	return options
}

// importName is the name for people of a format that files come in.
func importName(value string) string {
	for _, f := range soundImports {
		if f.value == value {
			return f.name
		}
	}
	return formatName(value)
}

// sound tells whether the form is of a project of sound.
func (v ImportForm) sound() bool { return v.Kind == "audio" }

// dropHelp says what may be dropped.
func (v ImportForm) dropHelp() string {
	if v.sound() {
		return "WAV, and with ffmpeg on the server FLAC, MP3, Ogg, M4A, G.722, GSM; transcripts; zip archives of them."
	}
	return "JPEG, PNG, WebP, BMP, TIFF; label files; zip archives of them."
}

// purposes are what labels can become.
func (v ImportForm) purposes() []ui.Option {
	nothing := "Nothing: pictures only"
	if v.sound() {
		nothing = "Nothing: recordings only"
	}
	return []ui.Option{
		{Value: "truth", Label: "Truth", Disabled: !v.AcceptsTruth},
		{Value: "prefill", Label: "Prefill"},
		{Value: "prediction", Label: "Predictions"},
		{Value: "media", Label: nothing},
	}
}

// labelsLabel asks what labels become.
func (v ImportForm) labelsLabel() string {
	if v.sound() {
		return "Text becomes"
	}
	return "Labels become"
}
