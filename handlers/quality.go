package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/crop"
	"fiducial/internal/quality"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// How much the page of a project's quality lists beside the figures, and the labeler's own page of what came back.
const (
	disputesShown   = 20
	threadsShown    = 10
	rejectionsShown = 20
)

const ownQualityPath = "/quality/me"

func (s *Server) qualityRoutes(r router) {
	r.get("/projects/{slug}/quality", access.ReadQuality, s.showQuality)
	r.get("/projects/{slug}/quality.csv", access.ReadQuality, s.qualityCSV)
	r.post("/projects/{slug}/quality/concerns/{concern}", access.ManageQuality, s.settleConcern)
	r.post("/projects/{slug}/quality/labelers/{person}/pause", access.ManageQuality, s.pauseLabeler)
	r.post("/projects/{slug}/quality/labelers/{person}/resume", access.ManageQuality, s.resumeLabeler)
	r.get(ownQualityPath, access.Label, s.showOwnQuality)
	r.get("/media/marks/{mark}", access.Label, s.faultCrop)
}

func qualityPath(p store.Project) string { return projectPath(p) + "/quality" }

func (s *Server) showQuality(w http.ResponseWriter, r *http.Request) error {
	return s.renderQuality(w, r, http.StatusOK, web.Refusal{})
}

func (s *Server) renderQuality(w http.ResponseWriter, r *http.Request, status int, refused web.Refusal) error {
	ctx, actor := r.Context(), actorOf(r)
	project, err := s.project(r)
	if err != nil {
		return err
	}
	refused.Field = "" // it is told above the page's several forms
	v := web.QualityView{
		Sound: project.Kind == "audio",
		Tabs:  projectTabs(r, project, "quality", -1), Name: project.Name, Paused: project.Paused, Of: store.FiguresOf, CSV: qualityPath(project) + ".csv", Refused: refused,
	}
	figures, err := s.Store.Figures(ctx, actor, project.ID)
	if err != nil {
		return err
	}
	fillFigures(&v, r, project, figures)
	concerns, err := s.Store.Concerns(ctx, actor, project.ID)
	if err != nil {
		return err
	}
	for _, c := range concerns {
		v.Concerns = append(v.Concerns, web.ConcernView{
			Name: c.Name, Action: fmt.Sprintf("%s/concerns/%d", qualityPath(project), c.ID), Score: share(c.Score), Limit: share(c.Limit), Results: c.Results, At: c.RaisedAt,
		})
	}
	disputes, err := s.Store.Disputes(ctx, actor, project.ID, disputesShown)
	if err != nil {
		return err
	}
	for _, d := range disputes {
		row := rejectionView(d)
		row.Project, row.Href, row.Act = "", reviewHref(d.Item), "Settle"
		v.Disputes = append(v.Disputes, row)
	}
	threads, err := s.Store.OpenThreads(ctx, actor, project.ID, threadsShown)
	if err != nil {
		return err
	}
	for _, t := range threads {
		v.Threads = append(v.Threads, web.OpenThreadView{Name: t.Name, Href: discussionHref(t.Item), Comments: t.Comments, At: t.LastAt})
	}
	if v.Gold, err = s.goldPanel(r, project); err != nil {
		return err
	}
	page := s.projectPage(r, project, project.Name+" quality", ui.Crumb{Label: "Quality"})
	page.StyleURLs = append(page.StyleURLs, projectPath(project)+"/classes.css")
	return render(w, r, status, web.QualityPage(page, v))
}

// figureColumn is a column of the table of figures that it can be sorted by.
type figureColumn struct {
	key, label string
	value      func(store.LabelerFigures) float64
}

// unknown sorts behind everything.
var unknown = math.Inf(-1)

func ratio(k, n int) float64 {
	if n == 0 {
		return unknown
	}
	return float64(k) / float64(n)
}

// likeness is what a row is sorted by: of sound how few words are wrong, else the share of agreed objects.
func likeness(f store.LabelerFigures, errs, words int, share float64) float64 {
	if f.Kind == "audio" && f.ClassID == quality.Whole {
		return -ratio(errs, words)
	}
	return share
}

func orUnknown(v *float64) float64 {
	if v == nil {
		return unknown
	}
	return *v
}

var figureColumns = []figureColumn{
	{"answers", "Answers", func(f store.LabelerFigures) float64 { return float64(f.Answers) }},
	{"approved", "As they were", func(f store.LabelerFigures) float64 { return float64(f.Approved) }},
	{"amended", "Amended", func(f store.LabelerFigures) float64 { return float64(f.Amended) }},
	{"rejected", "Sent back", func(f store.LabelerFigures) float64 { return float64(f.Rejected) }},
	{"truth", "With the truth", func(f store.LabelerFigures) float64 {
		return likeness(f, f.Words.TruthErrors, f.Words.TruthWords, ratio(f.TruthAgreed, f.TruthObjects))
	}},
	{"peers", "With others", func(f store.LabelerFigures) float64 {
		return likeness(f, 2*f.Words.PeerErrors, f.Words.PeerWords, ratio(f.PeerAgreed, f.PeerObjects))
	}},
	{"gold", "Gold", func(f store.LabelerFigures) float64 {
		if f.ClassID == quality.Whole {
			return orUnknown(f.GoldScore)
		}
		return ratio(f.GoldAgreed, f.GoldObjects)
	}},
	{"time", "Median time", func(f store.LabelerFigures) float64 { return orUnknown(f.MedianMS) }},
}

// fillFigures shows all labelers, of all classes or of one; or one labeler, class by class.
func fillFigures(v *web.QualityView, r *http.Request, project store.Project, figures []store.LabelerFigures) {
	query, base := r.URL.Query(), qualityPath(project)
	labeler, _ := strconv.ParseInt(query.Get("labeler"), 10, 64) // what is no number is nobody
	class, _ := strconv.ParseInt(query.Get("class"), 10, 64)
	v.Class, v.Classes = query.Get("class"), []ui.Option{{Label: "All classes"}}
	var shown []store.LabelerFigures
	for _, f := range figures {
		option := ui.Option{Value: strconv.FormatInt(f.ClassID, 10), Label: f.ClassName}
		if f.ClassID != 0 && !slices.Contains(v.Classes, option) {
			v.Classes = append(v.Classes, option)
		}
		if labeler == 0 && f.ClassID == class || labeler == f.Person {
			shown = append(shown, f)
		}
		if labeler == f.Person {
			v.Labeler, v.All = f.Name, base
		}
		if f.ComputedAt.After(v.At) {
			v.At = f.ComputedAt
		}
	}
	slices.SortFunc(v.Classes[1:], func(a, b ui.Option) int { return strings.Compare(a.Label, b.Label) })
	v.Heads = sortFigures(shown, base, query, v.Labeler == "")
	for _, f := range shown {
		v.Rows = append(v.Rows, figureRow(f, base, v.Labeler != ""))
	}
}

// sortFigures sorts rows as the address asks, and returns the table's heads with the addresses for other orders.
func sortFigures(rows []store.LabelerFigures, path string, query url.Values, labelers bool) []ui.Head {
	by, down := strings.CutPrefix(query.Get("sort"), "-")
	first := "Labeler"
	if !labelers {
		first = "Class"
	}
	heads := []ui.Head{{Label: first, SortHref: with(path, query, "sort", "")}}
	for _, c := range figureColumns {
		head := ui.Head{Label: c.label, Num: true, SortHref: with(path, query, "sort", "-"+c.key)}
		if c.key == by {
			head.Sorted = "ascending"
			if down {
				head.Sorted, head.SortHref = "descending", with(path, query, "sort", c.key)
			}
			slices.SortStableFunc(rows, func(a, b store.LabelerFigures) int {
				if down {
					return cmp.Compare(c.value(b), c.value(a))
				}
				return cmp.Compare(c.value(a), c.value(b))
			})
		}
		heads = append(heads, head)
	}
	if labelers {
		heads = append(heads, ui.Head{Label: "Acts", Hidden: true})
	}
	return heads
}

// share is a number between 0 and 1 to two decimals.
func share(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func shareView(k, n int) web.ShareView {
	if n == 0 {
		return web.ShareView{}
	}
	i := quality.Wilson(k, n)
	return web.ShareView{Value: share(float64(k) / float64(n)), Margin: share((i.High - i.Low) / 2), N: n}
}

func goldShare(f store.LabelerFigures) web.ShareView {
	if f.ClassID != quality.Whole {
		return shareView(f.GoldAgreed, f.GoldObjects)
	}
	if f.GoldScore == nil {
		return web.ShareView{}
	}
	return web.ShareView{Value: share(*f.GoldScore), Margin: share((f.GoldInterval.High - f.GoldInterval.Low) / 2), N: f.GoldItems}
}

// wordsView says how many of so many words are wrong.
func wordsView(errs, words int) string {
	if words == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %% of %d words", 100*float64(errs)/float64(words), words)
}

func figureRow(f store.LabelerFigures, base string, byClass bool) web.FigureRow {
	row := web.FigureRow{
		Person: strconv.FormatInt(f.Person, 10), Name: f.Name, Href: fmt.Sprintf("%s?labeler=%d", base, f.Person), Answers: f.Answers, Approved: f.Approved,
		Amended: f.Amended, Rejected: f.Rejected, Truth: shareView(f.TruthAgreed, f.TruthObjects), Peers: shareView(f.PeerAgreed, f.PeerObjects), Gold: goldShare(f),
	}
	if f.Kind == "audio" && f.ClassID == quality.Whole {
		w := f.Words
		row.TruthWords, row.PeerWords = wordsView(w.TruthErrors, w.TruthWords), wordsView(2*w.PeerErrors, w.PeerWords)
		row.GoldWords = wordsView(w.GoldErrors, w.GoldWords)
	}
	for _, fault := range store.AllFaults() {
		if n := f.Reasons[string(fault)]; n > 0 {
			row.Reasons = append(row.Reasons, web.ReasonView{Word: faultWords[fault], Count: n})
		}
	}
	if f.MedianMS != nil {
		row.Median, row.HasMedian = time.Duration(*f.MedianMS)*time.Millisecond, true
	}
	if byClass {
		row.Class, row.Slot, row.Href = cmp.Or(f.ClassName, "All classes"), f.Slot, ""
		if f.ClassID == quality.Whole {
			row.Class, row.Name, row.Href = "", "All classes", base
		}
		return row
	}
	act := fmt.Sprintf("%s/labelers/%d", base, f.Person)
	switch {
	case !f.Member:
	case f.PausedAt != nil:
		row.Paused, row.PausedSince, row.PauseReason, row.Resume = true, *f.PausedAt, f.PauseReason, act+"/resume"
	default:
		row.Pause = act + "/pause"
	}
	return row
}

// qualityCSV is every figure of every labeler and class.
func (s *Server) qualityCSV(w http.ResponseWriter, r *http.Request) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	figures, err := s.Store.Figures(r.Context(), actorOf(r), project.ID)
	if err != nil {
		return err
	}
	head := []string{"person_id", "labeler", "class_id", "class", "answers", "approved", "amended", "rejected"}
	for _, fault := range store.Faults(project.Kind) {
		head = append(head, "rejected_"+string(fault))
	}
	if project.Kind == "audio" {
		head = append(head, "truth_word_errors", "truth_words", "other_word_errors", "other_words", "gold_word_errors", "gold_words")
	}
	head = append(head, "truth_objects", "truth_agreed", "truth_low", "truth_high", "peer_objects", "peer_agreed", "gold_items", "gold_objects", "gold_agreed",
		"gold_score", "gold_low", "gold_high", "median_seconds")
	rows := [][]string{head}
	for _, f := range figures {
		rows = append(rows, figureRecord(f))
	}
	writeCSV(w, "quality-"+project.Slug, rows)
	return nil
}

func figureRecord(f store.LabelerFigures) []string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	record := []string{idText(f.Person), f.Name, idText(f.ClassID), f.ClassName}
	for _, n := range []int{f.Answers, f.Approved, f.Amended, f.Rejected} {
		record = append(record, strconv.Itoa(n))
	}
	for _, fault := range store.Faults(f.Kind) {
		record = append(record, strconv.Itoa(f.Reasons[string(fault)]))
	}
	if w := f.Words; f.Kind == "audio" {
		for _, n := range []int{w.TruthErrors, w.TruthWords, w.PeerErrors, w.PeerWords, w.GoldErrors, w.GoldWords} {
			record = append(record, strconv.Itoa(n))
		}
	}
	truth := quality.Wilson(f.TruthAgreed, f.TruthObjects)
	record = append(record, strconv.Itoa(f.TruthObjects), strconv.Itoa(f.TruthAgreed), number(truth.Low), number(truth.High))
	for _, n := range []int{f.PeerObjects, f.PeerAgreed, f.GoldItems, f.GoldObjects, f.GoldAgreed} {
		record = append(record, strconv.Itoa(n))
	}
	score, low, high, median := "", "", "", ""
	if f.GoldScore != nil {
		score, low, high = number(*f.GoldScore), number(f.GoldInterval.Low), number(f.GoldInterval.High)
	}
	if f.MedianMS != nil {
		median = number(*f.MedianMS / 1000)
	}
	return append(record, score, low, high, median)
}

// changeQuality does something about a labeler, and shows what the reviewer can mend.
func (s *Server) changeQuality(w http.ResponseWriter, r *http.Request, said string, change func(store.Project) error) error {
	project, err := s.project(r)
	if err != nil {
		return err
	}
	err = change(project)
	if refused, ok := refusalOf(err); ok {
		return s.renderQuality(w, r, http.StatusUnprocessableEntity, refused)
	}
	if errors.Is(err, store.ErrConflict) {
		return s.renderQuality(w, r, http.StatusConflict, web.Refusal{Reason: "Somebody else answered this first. Look at what they did."})
	}
	if err != nil {
		return err
	}
	s.flash(r, said)
	return seeOther(w, r, qualityPath(project))
}

func (s *Server) settleConcern(w http.ResponseWriter, r *http.Request) error {
	concern, err := pathID(r, "concern")
	if err != nil {
		return err
	}
	said := map[store.Outcome]string{
		store.ToPause: "They get nothing new here until somebody lets them go on.", store.ToTalk: "They are told that you would like to talk.",
		store.ToDismiss: "Dismissed. You are asked again if it stays so over as many gold items again.",
	}
	outcome := store.Outcome(r.PostFormValue("outcome"))
	return s.changeQuality(w, r, said[outcome], func(p store.Project) error {
		return s.Store.SettleConcern(r.Context(), actorOf(r), p.ID, concern, outcome, r.PostFormValue("reason"))
	})
}

func (s *Server) pauseLabeler(w http.ResponseWriter, r *http.Request) error {
	person, err := pathID(r, "person")
	if err != nil {
		return err
	}
	return s.changeQuality(w, r, "They get nothing new here until somebody lets them go on.", func(p store.Project) error {
		return s.Store.PauseMember(r.Context(), actorOf(r), p.ID, person, r.PostFormValue("reason"))
	})
}

func (s *Server) resumeLabeler(w http.ResponseWriter, r *http.Request) error {
	person, err := pathID(r, "person")
	if err != nil {
		return err
	}
	return s.changeQuality(w, r, "They get work here again.", func(p store.Project) error {
		return s.Store.ResumeMember(r.Context(), actorOf(r), p.ID, person)
	})
}

func (s *Server) showOwnQuality(w http.ResponseWriter, r *http.Request) error {
	figures, err := s.Store.MyFigures(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // what is no number is the start
	rejections, err := s.Store.MyRejections(r.Context(), actorOf(r), before, rejectionsShown)
	if err != nil {
		return err
	}
	page := s.page(r, "How my work does", ui.Crumb{Label: "My queue", Href: queuePath}, ui.Crumb{Label: "How my work does"})
	v := web.OwnQualityView{GoldFrom: store.GoldShown}
	styled := map[string]bool{}
	style := func(slug string) {
		if !styled[slug] {
			styled[slug] = true
			page.StyleURLs = append(page.StyleURLs, "/projects/"+slug+"/classes.css")
		}
	}
	for _, f := range figures {
		if f.ClassID == quality.Whole {
			v.Projects = append(v.Projects, web.OwnFigures{Name: f.ProjectName, Href: "/projects/" + f.Slug, Whole: figureRow(f, "", true), At: f.ComputedAt})
			v.Projects[len(v.Projects)-1].Whole.Gold = goldShare(f)
			style(f.Slug)
		} else if n := len(v.Projects); n > 0 {
			v.Projects[n-1].Classes = append(v.Projects[n-1].Classes, figureRow(f, "", true))
		}
	}
	answers := map[int64]bool{}
	for _, rejection := range rejections {
		row := rejectionView(rejection)
		if rejection.Open {
			row.Href, row.Act = taskPath(rejection.Task), "Mend"
		}
		style(rejection.Slug)
		v.Rejections = append(v.Rejections, row)
		answers[rejection.Answer] = true
	}
	if len(answers) == rejectionsShown {
		v.Older = with(ownQualityPath, nil, "before", strconv.FormatInt(rejections[len(rejections)-1].Answer, 10))
	}
	return render(w, r, http.StatusOK, web.OwnQualityPage(page, v))
}

func rejectionView(k store.Rejection) web.RejectionView {
	v := web.RejectionView{
		Name: k.Name, Project: k.Project, Class: k.ClassName, Slot: k.Slot, Fault: faultWords[k.Fault], Note: k.Note, Dispute: k.Dispute, At: k.At, Where: "about the whole answer",
	}
	switch {
	case k.X != nil && k.Kind == "audio":
		v.Where, v.Sound = "at "+soundClock(*k.X), true
	case k.X != nil:
		v.Where = fmt.Sprintf("at %.0f, %.0f", *k.X, *k.Y)
	}
	v.Sound = k.Kind == "audio"
	if !k.Picture {
		return v
	}
	v.Picture = web.FaultPicture{Alt: v.Fault + " in " + k.Name, Slot: k.Slot}
	if k.X == nil {
		v.Picture.Src, v.Picture.Whole = itemMediaHref(k.Item, "thumb"), true
		return v
	}
	p := &v.Picture
	p.Src, p.X, p.Y, p.Turned = fmt.Sprintf("/media/marks/%d", k.ID), *k.X, *k.Y, k.Rotation
	if k.W != nil {
		p.Box, p.W, p.H = true, *k.W, *k.H
	}
	window := crop.Part(p.X, p.Y, p.W, p.H, k.Width, k.Height)
	p.Left, p.Top, p.Width, p.Height = window.Min.X, window.Min.Y, window.Dx(), window.Dy()
	return v
}

func (s *Server) faultCrop(w http.ResponseWriter, r *http.Request) error {
	object, err := asked(r, "mark", s.Store.FaultCrop)
	if err != nil {
		return err
	}
	return serveCrop(w, r, object)
}
