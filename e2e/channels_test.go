package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/playwright-community/playwright-go"
)

// The tones of both channels, in Hz, and how long they sound.
const (
	firstTone   = 500
	secondTone  = 1500
	toneSeconds = 6
)

// twoTones is a recording of two channels, each with a tone of its own: the first grows fainter, the second louder.
func twoTones() []byte {
	const rate = 8000
	little := binary.LittleEndian
	b := append([]byte("RIFF"), make([]byte, 4)...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"...)
	b = little.AppendUint32(b, rate)
	b = little.AppendUint32(b, 4*rate)
	b = append(b, "\x04\x00\x10\x00data"...)
	b = little.AppendUint32(b, 4*rate*toneSeconds)
	for i := range rate * toneSeconds {
		at := float64(i) / rate
		for channel, tone := range []float64{firstTone, secondTone} {
			loud := 0.1 + 0.6*math.Abs(float64(1-channel)-at/toneSeconds)
			b = little.AppendUint16(b, uint16(int16(math.Round(32767*loud*math.Sin(2*math.Pi*tone*at)))))
		}
	}
	little.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// listenIn lets window.ears say which tone arrives at the left and at the right ear once the page mixes its sound, in steps of 500 Hz; 0 is silence.
const listenIn = `(() => {
	const connect = AudioNode.prototype.connect;
	AudioNode.prototype.connect = function (to, ...rest) {
		if (to instanceof AudioDestinationNode) {
			const splitter = this.context.createChannelSplitter(2);
			connect.call(this, splitter);
			const ears = [0, 1].map(channel => {
				const ear = this.context.createAnalyser();
				ear.smoothingTimeConstant = 0;
				connect.call(splitter, ear, channel);
				return ear;
			});
			window.ears = () => ears.map(ear => {
				const loud = new Float32Array(ear.frequencyBinCount);
				ear.getFloatFrequencyData(loud);
				const peak = loud.indexOf(Math.max(...loud));
				return loud[peak] > -60 ? 500 * Math.round(peak * ear.context.sampleRate / ear.fftSize / 500) : 0;
			}).join(" ");
		}
		return connect.call(this, to, ...rest);
	};
})()`

// ears waits until these tones arrive at the left and the right ear.
func (p *page) ears(what, want string) {
	p.t.Helper()
	p.shows("ears", what)
	p.waits(`want => window.ears?.() === want`, want)
}

// headAt puts the play head to a time of the utterance.
func (p *page) headAt(seconds float64) {
	p.t.Helper()
	_, err := p.Evaluate(`seconds => { document.querySelector("audio").currentTime = seconds }`, seconds)
	p.must(err)
	p.waits(`seconds => { const a = document.querySelector("audio"); return !a.seeking && Math.abs(a.currentTime - seconds) < 0.01 }`, seconds)
}

// heads are what stands over the segments: speaker, channel and times.
func (p *page) heads() string {
	p.t.Helper()
	var heads []string
	p.evaluate(`[...document.querySelectorAll(".seg-head")].map(h => [...h.children].filter(c => !c.hidden).map(c => c.textContent).join(", "))`, &heads)
	return strings.Join(heads, " | ")
}

// A labeler writes down what two people say on a channel each, in part at the same time: hears one of them alone, and says by key who speaks where.
func TestTranscribeTwoChannels(t *testing.T) {
	t.Parallel()
	server := shared(t)
	f := floor{slug: "channels-" + strings.ToLower(rand.Text()[:8]), labeler: addAccount(t, server, "labeler")}
	f.command(t, server, "project", "add", f.slug, "--kind", "audio")
	admin := signIn(t, server, addAccount(t, server, "admin"))
	admin.addClass(f.slug, "Question", "1")
	admin.addMember(f.slug, f.labeler)
	f.command(t, server, "import", f.slug, writeFolder(t, map[string][]byte{"both.wav": twoTones()}), "--format", "audio")
	eventually(t, server, 1, `SELECT count(*)::int FROM items i JOIN projects p ON p.id = i.project_id WHERE p.slug = $1 AND i.state = 'ready'`, f.slug)
	p := signIn(t, server, f.labeler)
	p.must(p.AddInitScript(playwright.Script{Content: playwright.String(listenIn)}))
	p.transcribe(f.slug)
	p.bothDrawn()

	p.shows("ears", "Both channels")
	p.keys("Control+l") // over and over, so that there is something to hear for as long as it takes
	p.playing()
	p.keys("Alt+h")
	p.ears("Channel 1", "500 500")
	p.accessible()
	p.keys("Alt+h")
	p.ears("Channel 2", "1500 1500")
	p.keys("Alt+h")
	p.ears("Both channels", "500 1500")
	p.keys("Escape", "Control+Space")
	p.silent()

	p.headAt(4)
	p.types("good morning")
	p.keys("Alt+c", "Alt+a", "Enter", "Alt+c", "Alt+a")
	p.types("is it you")
	p.headAt(2.5)
	p.keys("Alt+,", "Shift+Control+ArrowLeft", "Alt+1")
	want := "Speaker A, Channel 1, 0:00.0–0:04.0 | Speaker B, Channel 2, 0:02.5–0:06.0"
	if got := p.heads(); got != want {
		t.Fatalf("over the segments stands %q, want %q", got, want)
	}
	p.shows("moments", "channel 2")
	p.saved()
	p.open(p.path())
	p.writingReady()
	if got := p.heads(); got != want || p.written() != "good morning | is it you" {
		t.Fatalf("after a reload %q is written under %q", p.written(), got)
	}
	for _, scheme := range []*playwright.ColorScheme{playwright.ColorSchemeDark, playwright.ColorSchemeLight} {
		p.window(desktop, scheme)
		p.accessible()
	}
	p.keys("Control+Enter")
	p.waits(`() => location.pathname === "/label/next"`)
	eventually(t, server, "A1 good morning, B2 is it you", `
		SELECT string_agg((g->>'speaker') || (g->>'channel') || ' ' || (g->>'text'), ', ' ORDER BY g->>'begin')
		FROM transcripts s JOIN annotations a ON s.kind = 'annotation' AND s.of_id = a.id JOIN tasks k ON k.id = a.task_id JOIN projects p ON p.id = k.project_id, jsonb_array_elements(s.segments) g
		WHERE p.slug = $1`, f.slug)
	eventually(t, server, 2, `SELECT b.y::int FROM annotation_boxes b JOIN annotations a ON a.id = b.annotation_id JOIN tasks k ON k.id = a.task_id JOIN projects p ON p.id = k.project_id WHERE p.slug = $1`, f.slug)
}

// bothDrawn fails the test unless both channels are drawn, the first louder at the beginning and the second at the end.
func (p *page) bothDrawn() {
	p.t.Helper()
	p.waits(`() => [...document.querySelectorAll(".plot .half")].map(h => h.checkVisibility() && h.textContent).join() === "Channel 1,Channel 2"`)
	p.waits(`() => {
		const canvas = document.querySelector(".plot .host div")?.shadowRoot?.querySelector("canvas");
		if (!canvas || canvas.width === 0) return false;
		const ink = (x, y) => canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, canvas.width / 4, canvas.height / 2).data.filter((v, i) => i % 4 === 3 && v > 0).length;
		return ink(0, 0) > 1.5 * ink(0.75, 0) && ink(0.75, 0.5) > 1.5 * ink(0, 0.5);
	}`)
}
