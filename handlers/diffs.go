package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/internal/manifest"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	wallOnPage   = 24
	wallFallback = 1000 // pixels of a picture whose size is not known
)

func (s *Server) diffRoutes(r router) {
	r.get(datasetsPath+"/{dataset}/diff", access.ReadDatasets, s.showDiff)
	r.post(datasetsPath+"/{dataset}/diff", access.ReadDatasets, s.compareAgain)
}

// named returns the version of a text such as "3", of the dataset of the path, or "steel-test@3".
func (s *Server) named(r *http.Request, text string) (store.DatasetVersion, error) {
	dataset, number, other := strings.Cut(text, "@")
	if !other {
		dataset, number = chi.URLParam(r, "dataset"), text
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return store.DatasetVersion{}, store.ErrNotFound
	}
	return s.Store.DatasetVersion(r.Context(), actorOf(r), dataset, n)
}

// twoVersions returns those that the request names. Of one that is not named it takes the newest, or the one before the other.
func (s *Server) twoVersions(r *http.Request, versions []store.DatasetVersion) (from, to store.DatasetVersion, err error) {
	var frozen []store.DatasetVersion // the newest first
	for _, v := range versions {
		if v.State == store.VersionFrozen {
			frozen = append(frozen, v)
		}
	}
	if name := r.FormValue("to"); name != "" {
		if to, err = s.named(r, name); err != nil {
			return from, to, err
		}
	} else if len(frozen) > 0 {
		to = frozen[0]
	}
	if name := r.FormValue("from"); name != "" {
		from, err = s.named(r, name)
		return from, to, err
	}
	for _, v := range frozen {
		if v.Number < to.Number && v.Dataset == to.Dataset {
			return v, to, nil
		}
	}
	return from, to, nil
}

func (s *Server) showDiff(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "dataset")
	versions, err := s.Store.DatasetVersions(r.Context(), actorOf(r), name)
	if err != nil {
		return err
	}
	from, to, err := s.twoVersions(r, versions)
	if err != nil {
		return err
	}
	v := web.DiffView{Dataset: name}
	for _, version := range versions {
		if version.State == store.VersionFrozen {
			v.Choices = append(v.Choices, ui.Option{Value: strconv.Itoa(version.Number), Label: fmt.Sprintf("v%d", version.Number)})
		}
	}
	title := "What changed"
	page := s.page(r, title, ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: name, Href: datasetsPath + "/" + name}, ui.Crumb{Label: title})
	if from.ID == 0 || to.ID == 0 {
		return render(w, r, http.StatusOK, web.DiffPage(page, v))
	}
	diff, err := s.Store.Compare(r.Context(), actorOf(r), from, to)
	status := http.StatusOK
	if refused, ok := refusalOf(err); ok {
		v.Refused, status = refused, http.StatusUnprocessableEntity
	} else if err != nil {
		return err
	}
	if diff.ID != 0 {
		if projects := diff.To.Recipe.Projects; len(projects) == 1 && slices.Equal(projects, diff.From.Recipe.Projects) {
			page.StyleURLs = []string{"/projects/" + projects[0] + "/classes.css"}
		}
		if err := s.fillDiff(r, diff, &v); err != nil {
			return err
		}
	}
	return render(w, r, status, web.DiffPage(page, v))
}

// versionChoice is how the form of the page names a version.
func versionChoice(v store.DatasetVersion, dataset string) string {
	if v.Dataset == dataset {
		return strconv.Itoa(v.Number)
	}
	return fmt.Sprintf("%s@%d", v.Dataset, v.Number)
}

func (s *Server) fillDiff(r *http.Request, diff store.Diff, v *web.DiffView) error {
	v.From, v.To, v.State, v.At = versionRow(diff.From), versionRow(diff.To), diff.State, diff.CreatedAt
	v.FromChoice, v.ToChoice = versionChoice(diff.From, v.Dataset), versionChoice(diff.To, v.Dataset)
	if diff.FinishedAt != nil {
		v.At = *diff.FinishedAt
	}
	for _, choice := range []string{v.FromChoice, v.ToChoice} { // one of another dataset
		if !slices.ContainsFunc(v.Choices, func(o ui.Option) bool { return o.Value == choice }) {
			v.Choices = append(v.Choices, ui.Option{Value: choice, Label: choice})
		}
	}
	if diff.State != "done" {
		return nil
	}
	v.Same = diff.Same
	for _, c := range diff.Counts {
		v.Came, v.Gone, v.Changed = v.Came+c.Came, v.Gone+c.Gone, v.Changed+c.Changed
	}
	chosen := chosenReason(r, diff)
	split := r.URL.Query().Get("split")
	v.Splits, v.Reasons = diffBars(diff), diffReasons(diff, v.Href(), chosen, split)
	slots, err := s.fillDiffClasses(r, diff, v)
	if err != nil || chosen == "" {
		return err
	}
	return s.fillWall(r, diff, chosen, split, slots, v)
}

// chosenReason is the reason whose differences are shown: the one asked for, else the first that there is.
func chosenReason(r *http.Request, diff store.Diff) manifest.Reason {
	there := func(reason manifest.Reason) bool {
		return slices.ContainsFunc(diff.Counts, func(c store.DiffCount) bool { return c.Reason == reason })
	}
	if asked := manifest.Reason(r.URL.Query().Get("reason")); there(asked) {
		return asked
	}
	for _, reason := range manifest.Reasons() {
		if there(reason) {
			return reason
		}
	}
	return ""
}

// diffSplits are the sides on which differences are counted; "" is that of lines whose side was erased with them.
func diffSplits(diff store.Diff) []string {
	var splits []string
	for _, split := range append(manifest.Splits(), "") {
		if slices.ContainsFunc(diff.Counts, func(c store.DiffCount) bool { return c.Split() == split }) {
			splits = append(splits, string(split))
		}
	}
	return splits
}

func linesOf(diff store.Diff, reason manifest.Reason, split string) (lines int) {
	for _, c := range diff.Counts {
		if (reason == "" || c.Reason == reason) && string(c.Split()) == split {
			lines += c.Lines()
		}
	}
	return lines
}

// diffBars draws what differs on each side, all to one scale.
func diffBars(diff store.Diff) []web.DiffBar {
	longest := 0
	for _, split := range diffSplits(diff) {
		longest = max(longest, linesOf(diff, "", split))
	}
	var bars []web.DiffBar
	for _, split := range diffSplits(diff) {
		bar := web.DiffBar{Split: split, Lines: linesOf(diff, "", split)}
		start := 0.0
		for _, reason := range manifest.Reasons() {
			if lines := linesOf(diff, reason, split); lines > 0 {
				share := 100 * float64(lines) / float64(longest)
				bar.Parts = append(bar.Parts, web.DiffPart{Reason: string(reason), Lines: lines, Start: start, Share: share})
				start += share
			}
		}
		bars = append(bars, bar)
	}
	return bars
}

func diffReasons(diff store.Diff, href string, chosen manifest.Reason, chosenSplit string) []web.DiffReasonRow {
	var rows []web.DiffReasonRow
	for _, reason := range manifest.Reasons() {
		row := web.DiffReasonRow{Reason: string(reason), Href: wallHref(href, reason, "", store.DiffPlace{}), Current: reason == chosen && chosenSplit == ""}
		details := map[string]int{}
		for _, c := range diff.Counts {
			if c.Reason == reason {
				row.Lines += c.Lines()
				details[diffDetail(c)] += c.Lines()
			}
		}
		if row.Lines == 0 {
			continue
		}
		for _, split := range diffSplits(diff) {
			cell := web.DiffCell{Lines: linesOf(diff, reason, split), Current: reason == chosen && split == chosenSplit && split != ""}
			if split != "" {
				cell.Href = wallHref(href, reason, split, store.DiffPlace{})
			}
			row.Cells = append(row.Cells, cell)
		}
		for detail, lines := range details {
			if detail != "" {
				row.Details = append(row.Details, web.DiffDetail{Text: detail, Lines: lines})
			}
		}
		slices.SortFunc(row.Details, func(a, b web.DiffDetail) int { return b.Lines - a.Lines })
		rows = append(rows, row)
	}
	return rows
}

func wallHref(href string, reason manifest.Reason, split string, after store.DiffPlace) string {
	query := url.Values{"reason": {string(reason)}}
	if split != "" {
		query.Set("split", split)
	}
	if after.Ordinal > 0 {
		query.Set("after", after.Split+"-"+strconv.Itoa(after.Ordinal))
	}
	return href + "&" + query.Encode() + "#wall"
}

func wallPlace(text string) (place store.DiffPlace) {
	split, ordinal, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(ordinal, 10, 32)
	if err != nil {
		return place // from the beginning
	}
	return store.DiffPlace{Split: split, Ordinal: int(n)}
}

// diffDetails are the details of a reason in words.
var diffDetails = map[string]string{
	"added:item": "imported since", "added:truth": "got truth since", "added:recipe": "the recipe takes it in now",
	"added:returned": "had been discarded or without truth", "redefined:definition": "same boxes, newer definition",
	"redefined:relabel": "relabelled after a definition changed", "redefined:name": "a class is called otherwise",
	"relabelled:order": "same boxes, other order", "relabelled:words": "other words, same moments",
	"redefined:rules": "same words, other transcription rules", "replaced:key": "another name", "filtered:project": "its project is not in the recipe",
	"filtered:broken": "its picture cannot be used", "filtered:recipe": "the recipe changed",
}

func diffDetail(c store.DiffCount) string {
	if c.Reason == manifest.Moved {
		return fmt.Sprintf("%s → %s", c.FromSplit, c.ToSplit)
	}
	if word, ok := diffDetails[string(c.Reason)+":"+c.Detail]; ok {
		return word
	}
	return c.Detail
}

// fillDiffClasses compares the boxes of each class, and returns which colour each has.
func (s *Server) fillDiffClasses(r *http.Request, diff store.Diff, v *web.DiffView) (slots map[int64]int, err error) {
	rows, slots := map[int64]*web.DiffClassRow{}, map[int64]int{}
	var order []int64
	for i, version := range []store.DatasetVersion{diff.From, diff.To} {
		summary, err := s.Store.VersionSummary(r.Context(), version)
		if err != nil {
			return nil, err
		}
		for _, class := range summary.Classes {
			if rows[class.ID] == nil {
				rows[class.ID] = &web.DiffClassRow{Slot: class.Slot}
				order = append(order, class.ID)
			}
			rows[class.ID].Name, slots[class.ID] = class.Name, class.Slot
		}
		for _, c := range summary.Counts {
			if row := rows[c.ClassID]; row != nil {
				if i == 0 {
					row.From += int(c.Boxes)
				} else {
					row.To += int(c.Boxes)
				}
			}
		}
	}
	largest := 0
	for _, row := range rows {
		largest = max(largest, row.To-row.From, row.From-row.To)
	}
	oneProject := len(diff.From.Recipe.Projects) == 1 && slices.Equal(diff.From.Recipe.Projects, diff.To.Recipe.Projects)
	for _, id := range order {
		row := rows[id]
		if row.From+row.To == 0 {
			continue
		}
		if largest > 0 {
			row.Share = 50 * float64(row.To-row.From) / float64(largest)
		}
		if !oneProject { // the colours of several projects would be mixed up
			row.Slot, slots[id] = -1, -1
		}
		v.Classes = append(v.Classes, *row)
	}
	slices.SortStableFunc(v.Classes, func(a, b web.DiffClassRow) int { return b.Weight() - a.Weight() })
	return slots, nil
}

func (s *Server) fillWall(r *http.Request, diff store.Diff, reason manifest.Reason, split string, slots map[int64]int, v *web.DiffView) error {
	looks := access.Allows(actorOf(r).Role, access.ReadItems)
	lines, err := s.Store.DiffLines(r.Context(), diff, reason, split, wallPlace(r.URL.Query().Get("after")), wallOnPage+1, looks)
	if err != nil {
		return err
	}
	v.Wall = web.DiffWall{Reason: string(reason), Split: split}
	for _, row := range v.Reasons {
		v.Wall.Tabs = append(v.Wall.Tabs, ui.Tab{Label: web.ReasonWord(row.Reason), Href: row.Href, Count: row.Lines, Current: row.Reason == string(reason)})
	}
	if len(lines) > wallOnPage {
		lines = lines[:wallOnPage]
		last := lines[wallOnPage-1]
		v.Wall.More = wallHref(v.Href(), reason, split, store.DiffPlace{Split: last.Split, Ordinal: last.Ordinal})
	}
	waves := wavesOf(s, r, lines, func(l store.DiffLine) int64 { return soundIf(l.Sound && looks, l.ItemID) })
	for _, line := range lines {
		shown := wallLine(line, looks, slots)
		shown.Wave = waves[line.ItemID]
		v.Wall.Lines = append(v.Wall.Lines, shown)
	}
	return nil
}

func wallLine(line store.DiffLine, looks bool, slots map[int64]int) web.DiffLine {
	count := store.DiffCount{Reason: line.Reason, Detail: line.Detail, FromSplit: manifest.Split(line.FromSplit), ToSplit: manifest.Split(line.ToSplit)}
	out := web.DiffLine{
		Name: path.Base(line.Key), Why: diffDetail(count), Split: line.Split, Leaf: fmt.Sprintf("%x", line.Leaf), Erased: line.ItemID == 0,
		Receipt: line.ErasureID, ErasedAt: orZero(line.ErasedAt), Width: line.Width, Height: line.Height,
	}
	if line.Sound && looks && !out.Erased {
		out.Href, out.Words = fmt.Sprintf("/items/%d", line.ItemID), changedWords(line.FromText, line.ToText)
		return out
	}
	if out.Width == 0 {
		out.Width, out.Height = wallFallback, wallFallback
	}
	if out.Erased || !looks {
		return out
	}
	out.Href = fmt.Sprintf("/items/%d", line.ItemID)
	if line.Thumb {
		out.Src = fmt.Sprintf("/media/items/%d/thumb", line.ItemID)
	}
	if line.FromTruth != line.ToTruth {
		out.From = wallBoxes(line.FromBoxes, slots)
	}
	out.To = wallBoxes(line.ToBoxes, slots)
	return out
}

// changedWords are the words of a transcript as it was and as it is, in one row. What is not in the newer version is shown as it was.
func changedWords(before, after string) (words []web.DiffWord) {
	from, to := strings.Fields(before), strings.Fields(after)
	switch {
	case len(from) == 0 || len(to) == 0:
		for _, word := range slices.Concat(from, to) {
			words = append(words, web.DiffWord{Text: word})
		}
		return words
	}
	for _, step := range speech.Align(from, to) {
		switch step.Op {
		case speech.Match:
			words = append(words, web.DiffWord{Text: to[step.Hypothesis]})
		case speech.Substitution:
			words = append(words, web.DiffWord{Text: from[step.Reference], Gone: true}, web.DiffWord{Text: to[step.Hypothesis], Came: true})
		case speech.Deletion:
			words = append(words, web.DiffWord{Text: from[step.Reference], Gone: true})
		case speech.Insertion:
			words = append(words, web.DiffWord{Text: to[step.Hypothesis], Came: true})
		}
	}
	return words
}

func wallBoxes(boxes []store.Box, slots map[int64]int) (out []web.DiffBox) {
	for _, b := range boxes {
		slot, ok := slots[b.ClassID]
		if !ok {
			slot = -1
		}
		out = append(out, web.DiffBox{X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation, Slot: slot})
	}
	return out
}

func (s *Server) compareAgain(w http.ResponseWriter, r *http.Request) error {
	from, err := s.named(r, r.PostFormValue("from"))
	if err != nil {
		return err
	}
	to, err := s.named(r, r.PostFormValue("to"))
	if err != nil {
		return err
	}
	diff, err := s.Store.Compare(r.Context(), actorOf(r), from, to)
	if err != nil {
		return err
	}
	if err := s.Store.CompareAgain(r.Context(), actorOf(r), diff); err != nil {
		return err
	}
	name := chi.URLParam(r, "dataset")
	v := web.DiffView{Dataset: name, FromChoice: versionChoice(diff.From, name), ToChoice: versionChoice(diff.To, name)}
	return seeOther(w, r, v.Href())
}
