package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/playwright-community/playwright-go"
)

// What the workbench is measured with.
const (
	manyBoxes  = 2000
	largeW     = 4000
	largeH     = 3000
	dragTime   = 3 * time.Second
	dragMoves  = 181 // sixty a second, both ends counted
	benchTasks = 13  // answered one after another
	frameRuns  = 3   // of each canvas, in turns
)

// largeStrip is a grey picture of 12 megapixels.
func largeStrip() image.Image {
	m := image.NewGray(image.Rect(0, 0, largeW, largeH))
	for i := range m.Pix {
		m.Pix[i] = uint8(100 + (i*7+i/largeW*13)%60)
	}
	return m
}

// cocoBoxesOn writes a data set of one picture with n boxes spread over it.
func cocoBoxesOn(name string, n int) []byte {
	type box struct {
		ID         int        `json:"id"`
		ImageID    int        `json:"image_id"`
		CategoryID int        `json:"category_id"`
		Bbox       [4]float64 `json:"bbox"`
		Area       float64    `json:"area"`
	}
	boxes := make([]box, n)
	for i := range boxes {
		boxes[i] = box{ID: i + 1, ImageID: 1, CategoryID: i%2 + 1, Bbox: [4]float64{float64(20 + i%50*79), float64(20 + i/50*73), 40.5, 30.25}, Area: 40.5 * 30.25}
	}
	document, err := json.Marshal(map[string]any{
		"images":     []map[string]any{{"id": 1, "file_name": name, "width": largeW, "height": largeH}},
		"categories": []map[string]any{{"id": 1, "name": "Scratch"}, {"id": 2, "name": "Pit"}}, "annotations": boxes,
	})
	if err != nil {
		panic(err) // numbers and names: it cannot
	}
	return document
}

// benchFloor is a project with one picture of 12 megapixels and n boxes on it.
func benchFloor(b *testing.B, s *Server, n int) floor {
	b.Helper()
	f := newFloor(b, s)
	dir := stripFolder(b, []image.Image{largeStrip()})
	writeFile(b, dir, "labels.json", cocoBoxesOn("strip-000.png", n))
	f.command(b, s, "import", f.slug, dir, "--format", "coco", "--as", "prefill")
	return f
}

// BenchmarkWorkbench measures the workbench with 2,000 boxes on 4000×3000 against one without boxes, in
// one browser and in turns: times of frames while the view is moved and zoomed and a box is dragged.
func BenchmarkWorkbench(b *testing.B) {
	server := shared(b)
	many, none := benchFloor(b, server, manyBoxes), benchFloor(b, server, 0)
	full, empty := signIn(b, server, many.labeler), signIn(b, server, none.labeler)
	b.Run("load", func(b *testing.B) { full.measureLoad(b, many) })
	empty.label(none.slug)
	for _, gesture := range []struct {
		name string
		do   func(*page) frames
	}{{"pan", (*page).panning}, {"zoom", (*page).zooming}, {"drag", (*page).dragging}} {
		b.Run(gesture.name, func(b *testing.B) {
			var with, without frames
			for range frameRuns {
				without.add(empty.measured(gesture.do))
				with.add(full.measured(gesture.do))
			}
			b.ReportMetric(with.at(0.5), "p50-ms")
			b.ReportMetric(with.at(0.95), "p95-ms")
			b.ReportMetric(with.at(0.5)/without.at(0.5), "p50/empty")
			b.ReportMetric(with.at(0.95)/without.at(0.95), "p95/empty")
			if with.sent > 0 {
				b.ReportMetric(float64(with.handled)/frameRuns, "moves")
				b.ReportMetric(float64(with.sent)/frameRuns, "moves-sent")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("heap", func(b *testing.B) { full.measureHeap(b) })
	b.Run("size", func(b *testing.B) { full.measureSize(b) })
}

// frames are the times between the frames of some gestures, in milliseconds, and the pointer's moves.
type frames struct {
	times         []float64
	sent, handled int
}

func (f *frames) add(more frames) {
	f.times = append(f.times, more.times...)
	slices.Sort(f.times)
	f.sent += more.sent
	f.handled += more.handled
}

func (f *frames) at(quantile float64) float64 {
	if len(f.times) == 0 {
		return math.NaN()
	}
	return f.times[int(quantile*float64(len(f.times)-1))]
}

// measured makes a gesture on the fitted image while the page counts its frames and the moves that reach it.
func (p *page) measured(gesture func(*page) frames) frames {
	p.t.Helper()
	p.must(p.BringToFront())
	p.must(p.Locator(`[data-part="stage"]`).Focus())
	p.keys("f")
	p.evaluate(`(() => {
		const m = window.measure = {on: true, last: 0, times: [], moves: 0};
		const frame = now => { if (m.last) m.times.push(now - m.last); m.last = now; if (m.on) requestAnimationFrame(frame) };
		requestAnimationFrame(frame);
		m.count = () => m.moves++;
		document.querySelector('[data-part="stage"]').addEventListener("pointermove", m.count, {capture: true});
		return true;
	})()`, new(bool))
	f := gesture(p)
	var seen struct {
		Times []float64
		Moves int
	}
	p.evaluate(`(m => {
		m.on = false;
		document.querySelector('[data-part="stage"]').removeEventListener("pointermove", m.count, {capture: true});
		return {Times: m.times, Moves: m.moves};
	})(window.measure)`, &seen)
	f.times = seen.Times
	if f.sent > 0 {
		f.handled = min(seen.Moves, f.sent)
	}
	return f
}

// steadily does something at a steady rate for three seconds. What is late is left out, as a hand that
// moves on is not waited for.
func steadily(do func(step int)) (done int) {
	began, every := time.Now(), dragTime/(dragMoves-1)
	clock := time.NewTicker(every)
	defer clock.Stop()
	for last := -1; last < dragMoves-1; {
		step := min(int(time.Since(began)/every), dragMoves-1)
		if step > last {
			do(step)
			done++
			last = step
			continue
		}
		<-clock.C
	}
	return done
}

// moving moves the pressed pointer to and fro across the stage. No move waits for the one before.
func (p *page) moving(from point, button string) frames {
	p.t.Helper()
	session, err := p.Context().NewCDPSession(p.Page)
	p.must(err)
	var moves sync.WaitGroup
	sent := steadily(func(step int) {
		angle := 4 * math.Pi * float64(step) / (dragMoves - 1)
		to := map[string]any{"type": "mouseMoved", "x": from.X + 180*math.Sin(angle), "y": from.Y + 120*math.Sin(angle/2), "button": button, "buttons": 1}
		if button == "middle" {
			to["buttons"] = 4
		}
		moves.Go(func() {
			if _, err := session.Send("Input.dispatchMouseEvent", to); err != nil {
				p.t.Error(err)
			}
		})
	})
	moves.Wait()
	p.must(session.Detach())
	return frames{sent: sent}
}

func (p *page) panning() frames {
	p.t.Helper()
	middle := p.sight().at(point{largeW / 2, largeH / 2})
	p.must(p.Mouse().Move(middle.X, middle.Y))
	p.must(p.Mouse().Down(playwright.MouseDownOptions{Button: playwright.MouseButtonMiddle}))
	f := p.moving(middle, "middle")
	p.must(p.Mouse().Up(playwright.MouseUpOptions{Button: playwright.MouseButtonMiddle}))
	return frames{times: f.times}
}

func (p *page) zooming() frames {
	p.t.Helper()
	middle := p.sight().at(point{largeW / 2, largeH / 2})
	p.must(p.Mouse().Move(middle.X, middle.Y))
	steadily(func(step int) {
		by := -40.0
		if step%60 >= 30 {
			by = 40
		}
		p.must(p.Mouse().Wheel(0, by))
	})
	return frames{}
}

// dragging drags a box: one of many, or the only one.
func (p *page) dragging() frames {
	p.t.Helper()
	p.keys("b")
	corner := p.sight().at(point{largeW / 2, largeH / 2})
	p.must(p.Mouse().Move(corner.X, corner.Y))
	p.must(p.Mouse().Down())
	p.must(p.Mouse().Move(corner.X+60, corner.Y+40, playwright.MouseMoveOptions{Steps: playwright.Int(4)}))
	p.must(p.Mouse().Up())
	p.keys("v")
	p.must(p.Mouse().Move(corner.X+30, corner.Y+20))
	p.must(p.Mouse().Down())
	f := p.moving(point{corner.X + 30, corner.Y + 20}, "left")
	p.must(p.Mouse().Up())
	p.keys("Delete")
	return f
}

// measureLoad opens the task with the many boxes and takes the time from the navigation to the frame that shows them.
func (p *page) measureLoad(b *testing.B, f floor) {
	b.Helper()
	p.label(f.slug)
	if got := len(p.boxes()); got != manyBoxes {
		b.Fatalf("%d boxes are shown", got)
	}
	p.must(p.AddInitScript(playwright.Script{Content: playwright.String(fmt.Sprintf(`(() => {
		const look = () => {
			const image = document.querySelector("box-workbench .world img");
			if (document.querySelectorAll("box-workbench .lines rect").length < %d || !image?.complete) return requestAnimationFrame(look);
			requestAnimationFrame(() => { window.shownAfter = performance.now() });
		};
		requestAnimationFrame(look);
	})()`, manyBoxes))}))
	var took []float64
	for range 5 {
		p.open(p.path())
		p.waits(`() => window.shownAfter > 0`)
		var after float64
		p.evaluate(`window.shownAfter`, &after)
		took = append(took, after)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-ms")
	b.ReportMetric(0, "ns/op")
}

// measureHeap is the memory that the page's script holds after a garbage collection.
func (p *page) measureHeap(b *testing.B) {
	b.Helper()
	session, err := p.Context().NewCDPSession(p.Page)
	p.must(err)
	_, err = session.Send("HeapProfiler.collectGarbage", nil)
	p.must(err)
	answer, err := session.Send("Runtime.getHeapUsage", nil)
	p.must(err)
	usage, _ := answer.(map[string]any)
	switch used := usage["usedSize"].(type) {
	case float64:
		b.ReportMetric(used/1e6, "MB")
	case int:
		b.ReportMetric(float64(used)/1e6, "MB")
	default:
		b.Fatalf("the heap is %v", answer)
	}
	b.ReportMetric(0, "ns/op")
}

// measureSize adds up all script and style of the page, each file compressed by itself.
func (p *page) measureSize(b *testing.B) {
	b.Helper()
	var addresses []string
	p.evaluate(`[...new Set([...document.querySelectorAll("script[src], link[rel=stylesheet], link[rel=modulepreload]")].map(e => e.src || e.href)
		.concat(performance.getEntriesByType("resource").map(e => e.name).filter(n => /\.(js|css)(\?|$)/.test(n))))]`, &addresses)
	total := 0
	for _, address := range addresses {
		response, err := p.Request().Get(address)
		p.must(err)
		content, err := response.Body()
		p.must(err)
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		p.must(err)
		_, err = w.Write(content)
		p.must(err)
		p.must(w.Close())
		b.Logf("%6d bytes compressed: %s", packed.Len(), strings.TrimPrefix(address, p.server.URL))
		total += packed.Len()
	}
	b.ReportMetric(float64(total)/1e3, "kB")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkNextImage takes the time from the key that submits to the frame that shows the next image.
func BenchmarkNextImage(b *testing.B) {
	server := shared(b)
	var pictures []image.Image
	for n := range benchTasks {
		m := image.NewGray(image.Rect(0, 0, 2048, 1024))
		for y := range 1024 {
			for x := range 2048 {
				m.SetGray(x, y, color.Gray{Y: uint8(90 + (x*(n+3)+y*7)%80)})
			}
		}
		pictures = append(pictures, m)
	}
	f := newFloor(b, server, pictures...)
	p := signIn(b, server, f.labeler)
	p.label(f.slug)
	var took []float64
	for n := range benchTasks - 1 {
		p.draw(point{100, 100}, point{300, 200})
		p.waits(`n => performance.getEntriesByType("resource").filter(e => e.name.includes("/media/items/") && e.responseEnd > 0).length > n`, n+1)
		p.saved()
		p.evaluate(`(() => {
			const shown = document.querySelector("box-workbench .world img");
			const listening = new AbortController();
			addEventListener("keydown", e => {
				if (e.key !== "Enter") return;
				listening.abort();
				const began = performance.now();
				const look = () => {
					const image = document.querySelector("box-workbench .world img");
					if (!image?.complete || image === shown) return requestAnimationFrame(look);
					requestAnimationFrame(() => { window.nextAfter = performance.now() - began });
				};
				window.nextAfter = 0;
				requestAnimationFrame(look);
			}, {capture: true, signal: listening.signal});
			return true;
		})()`, new(bool))
		p.keys("Control+Enter")
		p.waits(`() => window.nextAfter > 0`)
		var after float64
		p.evaluate(`window.nextAfter`, &after)
		took = append(took, after)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-ms")
	b.ReportMetric(took[len(took)-1], "worst-ms")
	b.ReportMetric(0, "ns/op")
}
