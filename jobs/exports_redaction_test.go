package jobs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"fiducial/internal/speech"
	"fiducial/store/storetest"
)

// A redaction has words and no sound: it goes out where words alone are of use, and is named where they are not.
func TestRedactionsGoOutAsWords(t *testing.T) {
	t.Parallel()
	s, u := newSoundShelf(t, 2, 1)
	for i, item := range u.Items {
		s.say(t, item, speech.Transcript{{Begin: 0.5, End: 2, Text: fmt.Sprintf("number %d of [name]", i)}})
	}
	s.id(t, `UPDATE items SET state = 'redacted', recording_id = NULL, begins = NULL, ends = NULL WHERE id = $1 RETURNING id`, u.Items[0])
	s.id(t, `UPDATE item_texts SET external_key = 'redaction-7', file_name = 'redaction-7' WHERE item_id = $1 RETURNING item_id`, u.Items[0])
	version := s.freeze(t, "words", "calls")
	if version.Lines != 2 || version.Seconds != storetest.SpeechSeconds || version.Words != 8 {
		t.Errorf("%d lines, %v s, %d words", version.Lines, version.Seconds, version.Words)
	}
	for format, has := range map[string]bool{"nemo": false, "stm": false, "huggingface": false, "parquet": true, "vtt": true, "textgrid": true} {
		for _, media := range []bool{false, true} {
			_, files := s.export(t, version, format, media)
			there := false
			for name, content := range files {
				if name != "report.json" && name != "manifest.jsonl" {
					there = there || strings.Contains(name, "redaction-7") || bytes.Contains(content, []byte("redaction-7"))
				}
				if strings.HasSuffix(name, ".wav") && strings.Contains(name, "redaction") {
					t.Errorf("%s is sound", name)
				}
			}
			if told := bytes.Contains(files["report.json"], []byte("its recording has expired")); there != has || told != (!has || media) {
				t.Errorf("%s, media %t: there %t, told %t", format, media, there, told)
			}
		}
	}
}
