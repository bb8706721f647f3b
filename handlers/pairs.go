package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/agreement"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// What the page of a pair shows at once: of each class, and of the objects that were confused.
const (
	pairCrops      = 24
	pairConfusions = 12
)

func (s *Server) pairRoutes(r router) {
	r.get("/projects/{slug}/pairs", access.ReadItems, s.listPairs)
	r.get("/projects/{slug}/pairs/{a}/{b}", access.ReadItems, s.showPair)
	r.post("/projects/{slug}/pairs/{a}/{b}/confusable", access.EditGuideline, s.setConfusable)
	r.get("/media/windows/{item}", access.ReadItems, s.windowCrop)
}

func pairsPath(slug string) string { return "/projects/" + slug + "/pairs" }

func pairPath(slug string, a, b int64) string {
	return fmt.Sprintf("%s/%d/%d", pairsPath(slug), min(a, b), max(a, b))
}

// rateView writes a share in per cent.
func rateView(e agreement.Estimate) web.RateView {
	if !e.Defined {
		return web.RateView{}
	}
	percent := func(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) }
	return web.RateView{
		Defined: true, Value: percent(e.Value) + " %", Low: percent(e.Low), High: percent(e.High), N: e.N,
	}
}

// trendView compares a pair's rate between labelers with what it was when a definition was last published.
func trendView(p store.Pair, names map[int64]string) *web.TrendView {
	if p.Before == nil || !p.Before.Votes.Defined || !p.Votes.Defined {
		return nil
	}
	before, now := p.Before.Votes, p.Votes
	return &web.TrendView{
		Before: rateView(before), Class: names[p.Class], Version: p.Version, At: p.Since, Change: fmt.Sprintf("%+.1f", 100*(now.Value-before.Value)),
		Noise: now.Low <= before.High && before.Low <= now.High, Worse: now.Value > before.Value,
	}
}

func (b bookOf) names() map[int64]string {
	names := map[int64]string{}
	for _, c := range b.classes {
		names[c.ID] = c.Name
	}
	return names
}

func (b bookOf) byID(id int64) (store.Class, bool) {
	at := slices.IndexFunc(b.classes, func(c store.Class) bool { return c.ID == id })
	if at < 0 {
		return store.Class{}, false
	}
	return b.classes[at], true
}

func (b bookOf) pairView(p store.Pair) (v web.PairView, ok bool) {
	first, found := b.byID(p.A)
	second, also := b.byID(p.B)
	return web.PairView{
		A: classView(b.project.Slug, first), B: classView(b.project.Slug, second), Href: pairPath(b.project.Slug, p.A, p.B),
		Count: p.Count, Rate: rateView(p.Votes), TruthCount: p.TruthCount, TruthRate: rateView(p.Truth), Trend: trendView(p, b.names()),
	}, found && also
}

func (s *Server) listPairs(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	pairs, computed, err := s.Store.Pairs(r.Context(), actorOf(r), b.project.ID)
	if err != nil {
		return err
	}
	v := web.PairsView{Tabs: projectTabs(r, b.project, "guideline", -1)}
	if computed != nil {
		v.Computed = *computed
	}
	for _, p := range pairs {
		if view, ok := b.pairView(p); ok && p.Count+p.TruthCount > 0 {
			v.Pairs = append(v.Pairs, view)
		}
	}
	crumbs := []ui.Crumb{{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: "Confused pairs"}}
	return render(w, r, http.StatusOK, web.PairsPage(s.bookPage(r, b, "Confused pairs", crumbs...), v))
}

// pairOf reads the two classes of the path, the one with the lower id first.
func (b bookOf) pairOf(r *http.Request) (first, second store.Class, err error) {
	var classes [2]store.Class
	for i, name := range []string{"a", "b"} {
		id, err := pathID(r, name)
		if err != nil {
			return first, second, err
		}
		c, ok := b.byID(id)
		if !ok {
			return first, second, fmt.Errorf("class %d: %w", id, store.ErrNotFound)
		}
		classes[i] = c
	}
	if classes[0].ID == classes[1].ID {
		return first, second, fmt.Errorf("a pair of class %d with itself: %w", classes[0].ID, store.ErrNotFound)
	}
	if classes[0].ID > classes[1].ID {
		slices.Reverse(classes[:])
	}
	return classes[0], classes[1], nil
}

func (s *Server) showPair(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	first, second, err := b.pairOf(r)
	if err != nil {
		return err
	}
	pair, err := s.Store.Pair(r.Context(), actorOf(r), b.project.ID, first.ID, second.ID)
	if err != nil {
		return err
	}
	v := web.PairPageView{Edits: access.Allows(actorOf(r).Role, access.EditGuideline), Back: r.URL.RequestURI()}
	v.PairView, _ = b.pairView(pair)
	boxes, err := s.pairBoxes(r, &v, first, second)
	if err != nil {
		return err
	}
	confusions, err := s.pairConfusions(r, b, &v, first, second)
	if err != nil {
		return err
	}
	v.Span, v.Scales = pairScale(r, boxes, confusions)
	for side := range boxes {
		for _, box := range boxes[side] {
			v.Sides[side].Crops = append(v.Sides[side].Crops, web.WindowView{
				Src: windowHref(box.Item, box.X, box.Y, box.W, box.H, v.Span), Box: windowBox(box.X, box.Y, box.W, box.H, v.Span), Href: reviewHref(box.Item),
				Size: fmt.Sprintf("%.0f × %.0f", box.W, box.H), Undecided: !box.Decided,
			})
		}
	}
	for i, f := range confusions {
		v.Confusions[i].Window = web.WindowView{
			Src: windowHref(f.Item, f.X, f.Y, f.W, f.H, v.Span), Box: windowBox(f.X, f.Y, f.W, f.H, v.Span), Href: reviewHref(f.Item), Undecided: !f.Decided,
		}
	}
	if b.project.Kind == "audio" {
		if err := s.pairMoments(r, &v, boxes, confusions); err != nil {
			return err
		}
	}
	if err := s.pairDefinitions(r, b, &v, first, second); err != nil {
		return err
	}
	title := first.Name + " and " + second.Name
	crumbs := []ui.Crumb{
		{Label: bookName(b.project.Kind), Href: "/projects/" + b.project.Slug + "/guideline"}, {Label: "Confused pairs", Href: pairsPath(b.project.Slug)}, {Label: title},
	}
	return render(w, r, http.StatusOK, web.PairPage(s.bookPage(r, b, title, crumbs...), v))
}

// pairMoments puts sounds and words in the place of pictures.
func (s *Server) pairMoments(r *http.Request, v *web.PairPageView, boxes [2][]store.ClassBox, confusions []store.Confusion) error {
	v.Sound = true
	lefts := map[int64]float64{} // seconds that are heard before each item
	moment := func(w *web.WindowView, item int64, begin, length float64, words speech.Transcript) error {
		left, known := lefts[item]
		if !known {
			hearing, err := s.Store.SoundOf(r.Context(), actorOf(r), item)
			if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrGone) {
				return err
			}
			left = hearing.LeftContext
			lefts[item] = left
		}
		w.Sound = fmt.Sprintf("%s#t=%.2f,%.2f", soundPath(item), left+begin, left+begin+length)
		w.Time, w.Text = soundClock(begin)+" to "+soundClock(begin+length), wordsAround(words, begin, begin+length)
		return nil
	}
	for side := range boxes {
		for i, b := range boxes[side] {
			if err := moment(&v.Sides[side].Crops[i], b.Item, b.X, b.W, b.Words); err != nil {
				return err
			}
		}
	}
	for i, f := range confusions {
		if err := moment(&v.Confusions[i].Window, f.Item, f.X, f.W, f.Words); err != nil {
			return err
		}
	}
	return nil
}

// snippetWords is how many words of a moment are shown.
const snippetWords = 24

// wordsAround are about the words that are said in a stretch of time, each word having its share of its segment by its length.
func wordsAround(t speech.Transcript, begin, end float64) string {
	var words []string
	for _, s := range t {
		fields := strings.Fields(s.Text)
		all, done := 0, 0
		for _, w := range fields {
			all += len(w) + 1
		}
		for _, w := range fields {
			from := s.Begin + (s.End-s.Begin)*float64(done)/float64(all)
			done += len(w) + 1
			until := s.Begin + (s.End-s.Begin)*float64(done)/float64(all)
			if until > begin && from < end {
				words = append(words, w)
			}
		}
	}
	if len(words) > snippetWords {
		return strings.Join(words[:snippetWords], " ") + " …"
	}
	return strings.Join(words, " ")
}

// pairBoxes reads a page of the labels of each class: of the truth, or of answers where there is no truth yet or
// they are asked for.
func (s *Server) pairBoxes(r *http.Request, v *web.PairPageView, classes ...store.Class) (boxes [2][]store.ClassBox, err error) {
	query := r.URL.Query()
	v.Of = query.Get("of")
	read := func() error {
		for side, c := range classes {
			filter := store.ClassBoxFilter{Class: c.ID, Answers: v.Of == "answers", Limit: pairCrops + 1}
			name := []string{"after_a", "after_b"}[side]
			filter.Owner, filter.Position = boxCursor(query.Get(name))
			if boxes[side], err = s.Store.ClassBoxes(r.Context(), actorOf(r), filter); err != nil {
				return err
			}
			v.Sides[side].More = ""
			if len(boxes[side]) > pairCrops {
				boxes[side] = boxes[side][:pairCrops]
				v.Sides[side].More = with(r.URL.Path, query, name, boxCursorOf(boxes[side][pairCrops-1]))
			}
		}
		return nil
	}
	if err := read(); err != nil {
		return boxes, err
	}
	if v.Of == "" && len(boxes[0])+len(boxes[1]) == 0 {
		v.Of = "answers"
		if err := read(); err != nil {
			return boxes, err
		}
	}
	v.TruthHref, v.AnswersHref = with(r.URL.Path, url.Values{}, "of", "truth"), with(r.URL.Path, url.Values{}, "of", "answers")
	return boxes, nil
}

// pairConfusions reads a page of the objects that were given both classes, and who said what.
func (s *Server) pairConfusions(r *http.Request, b bookOf, v *web.PairPageView, first, second store.Class) ([]store.Confusion, error) {
	query := r.URL.Query()
	before, err := strconv.ParseInt(query.Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	list, err := s.Store.Confusions(r.Context(), actorOf(r), b.project.ID, first.ID, second.ID, before, pairConfusions+1)
	if err != nil {
		return nil, err
	}
	if len(list) > pairConfusions {
		list = list[:pairConfusions]
		v.MoreConfusions = with(r.URL.Path, query, "before", strconv.FormatInt(list[pairConfusions-1].ID, 10))
	}
	names := b.names()
	for _, f := range list {
		view := web.ConfusedObjectView{Name: f.Name, A: lettersOf(f.AnswersA), B: lettersOf(f.AnswersB)}
		if f.TruthClass != 0 {
			view.Truth = names[f.TruthClass]
		}
		v.Confusions = append(v.Confusions, view)
	}
	return list, nil
}

// lettersOf are what the review page calls the answers at these places.
func lettersOf(places []int32) []string {
	names := make([]string, len(places))
	for i, at := range places {
		names[i] = letter(int(at))
	}
	return names
}

// pairScale is the side of the squares that are shown, in pixels of the pictures: as it was asked for, or the smallest
// that holds nine boxes of ten with something round them.
func pairScale(r *http.Request, boxes [2][]store.ClassBox, confusions []store.Confusion) (span int, scales []web.ScaleView) {
	var sides []float64
	for _, list := range boxes {
		for _, b := range list {
			sides = append(sides, max(b.W, b.H))
		}
	}
	for _, f := range confusions {
		sides = append(sides, max(f.W, f.H))
	}
	slices.Sort(sides)
	steps := store.WindowSides()
	span = steps[3]
	if len(sides) > 0 {
		wanted := 1.4 * sides[len(sides)*9/10]
		at := slices.IndexFunc(steps, func(step int) bool { return float64(step) >= wanted })
		if at < 0 {
			at = len(steps) - 1
		}
		span = steps[at]
	}
	query := r.URL.Query()
	if asked, err := strconv.Atoi(query.Get("span")); err == nil && slices.Contains(steps, asked) {
		span = asked
	}
	at := slices.Index(steps, span)
	for _, step := range steps[max(0, at-2):min(len(steps), at+3)] {
		scales = append(scales, web.ScaleView{Span: step, Href: with(r.URL.Path, query, "span", strconv.Itoa(step)), Current: step == span})
	}
	return span, scales
}

func windowHref(item int64, x, y, w, h float64, span int) string {
	return fmt.Sprintf("/media/windows/%d?x=%.0f&y=%.0f&span=%d", item, x+w/2, y+h/2, span)
}

// windowBox is where the box stands in its window, in hundredths of the window's side.
func windowBox(x, y, w, h float64, span int) web.WindowBox {
	of := func(length float64) string { return strconv.FormatFloat(100*length/float64(span), 'f', 2, 64) }
	half := float64(span) / 2
	left := half + x - float64(int(x+w/2+0.5))
	top := half + y - float64(int(y+h/2+0.5))
	return web.WindowBox{X: of(left), Y: of(top), W: of(w), H: of(h)}
}

// pairDefinitions are the definitions of both classes, and what can be done about them.
func (s *Server) pairDefinitions(r *http.Request, b bookOf, v *web.PairPageView, classes ...store.Class) error {
	for side, c := range classes {
		list, err := s.Store.Definitions(r.Context(), actorOf(r), c.ID)
		if err != nil {
			return err
		}
		other := classes[1-side]
		d := &v.Sides[side]
		d.Class = classView(b.project.Slug, c)
		d.Edit = web.PairEdit{
			Save: d.Class.Href + "/draft", Draft: d.Class.Href + "/draft", Pair: other.ID, Confusable: pairPath(b.project.Slug, c.ID, other.ID) + "/confusable",
		}
		current := store.Definition{}
		if len(list) > 0 {
			current = list[0]
			d.Edit.Body, d.Edit.Confused = current.Body, current.Confusions
			d.Edit.Marked = slices.Contains(current.Confusions, other.ID)
		}
		if len(list) > 0 && current.Version == nil {
			d.Edit.EditVersion = current.EditVersion
			current = store.Definition{}
			if len(list) > 1 {
				current = list[1]
			}
		}
		d.Definition = b.definition(c, current)
	}
	return nil
}

// setConfusable says in the draft of one class, or of both, that they are easily confused, or not.
func (s *Server) setConfusable(w http.ResponseWriter, r *http.Request) error {
	b, err := s.book(r)
	if err != nil {
		return err
	}
	first, second, err := b.pairOf(r)
	if err != nil {
		return err
	}
	class, err := strconv.ParseInt(r.PostFormValue("class"), 10, 64)
	if err != nil || class != first.ID && class != second.ID {
		return badRequest("The form is incomplete. Load the page again.")
	}
	other := first
	if class == first.ID {
		other = second
	}
	if err := s.Store.SetConfusable(r.Context(), actorOf(r), class, other.ID, r.PostFormValue("confusable") == "yes"); err != nil {
		return err
	}
	s.flash(r, "It is in the draft of the definition, and in the book once that is published.")
	return seeOther(w, r, backTo(r, pairPath(b.project.Slug, first.ID, second.ID)))
}

func (s *Server) windowCrop(w http.ResponseWriter, r *http.Request) error {
	item, err := pathID(r, "item")
	if err != nil {
		return err
	}
	query := r.URL.Query()
	x, errX := strconv.ParseFloat(query.Get("x"), 64)
	y, errY := strconv.ParseFloat(query.Get("y"), 64)
	span, errSpan := strconv.Atoi(query.Get("span"))
	if errors.Join(errX, errY, errSpan) != nil || !(x >= 0 && x < 1e6 && y >= 0 && y < 1e6) {
		return badRequest("The crop needs x, y and span in pixels.")
	}
	object, err := s.Store.WindowCrop(r.Context(), actorOf(r), item, x, y, span)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}
