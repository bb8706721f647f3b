package handlers

import (
	"encoding/hex"
	"errors"
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
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	datasetsPath    = "/datasets"
	datasetsOnPage  = 100
	linesOnPage     = 25
	samplesOnPage   = 18
	exportsOnPage   = 10
	thumbnailBorder = 160 // pixels of a sample's longer side
)

func (s *Server) datasetRoutes(r router) {
	r.get(datasetsPath, access.ReadDatasets, s.listDatasets)
	s.recipeRoutes(r)
	r.get(datasetsPath+"/{dataset}", access.ReadDatasets, s.showDataset)
	r.get(datasetsPath+"/{dataset}/{number}", access.ReadDatasets, s.showVersion)
	r.post(datasetsPath+"/{dataset}/{number}/verify", access.ReadDatasets, s.verify)
	s.exportRoutes(r)
	s.diffRoutes(r)
	s.blindAuditRoutes(r)
}

func (s *Server) listDatasets(w http.ResponseWriter, r *http.Request) error {
	newest, err := s.Store.Datasets(r.Context(), actorOf(r), r.URL.Query().Get("after"), datasetsOnPage+1)
	if err != nil {
		return err
	}
	v := web.DatasetsView{CanFreeze: access.Allows(actorOf(r).Role, access.EditDatasets)}
	if len(newest) > datasetsOnPage {
		newest = newest[:datasetsOnPage]
		v.More = datasetsPath + "?after=" + url.QueryEscape(newest[datasetsOnPage-1].Dataset)
	}
	for _, version := range newest {
		v.Newest = append(v.Newest, versionRow(version))
	}
	return render(w, r, http.StatusOK, web.DatasetsPage(s.page(r, "Datasets"), v))
}

func versionRow(v store.DatasetVersion) web.VersionRow {
	row := web.VersionRow{
		Dataset: v.Dataset, Number: v.Number, State: v.State, Error: v.Error, Hash: hex.EncodeToString(v.Hash), Lines: v.Lines, Boxes: int(v.Boxes),
		Kind: v.Kind, Seconds: v.Seconds, Words: int(v.Words), Projects: v.Recipe.Projects, By: v.CreatedBy, At: v.CreatedAt,
	}
	if v.FrozenAt != nil {
		row.At = *v.FrozenAt
	}
	return row
}

func (s *Server) showDataset(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "dataset")
	versions, err := s.Store.DatasetVersions(r.Context(), actorOf(r), name)
	if err != nil {
		return err
	}
	v := web.DatasetView{Name: name, Recipe: versions[0].Recipe.YAML(), CanFreeze: access.Allows(actorOf(r).Role, access.EditDatasets)}
	for _, version := range versions {
		v.Versions = append(v.Versions, versionRow(version))
	}
	page := s.page(r, name, ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: name})
	return render(w, r, http.StatusOK, web.DatasetPage(page, v))
}

// version returns the version that the path names.
func (s *Server) version(r *http.Request) (store.DatasetVersion, error) {
	number, err := pathID(r, "number")
	if err != nil {
		return store.DatasetVersion{}, err
	}
	return s.Store.DatasetVersion(r.Context(), actorOf(r), chi.URLParam(r, "dataset"), int(number))
}

func (s *Server) versionPage(r *http.Request, v store.DatasetVersion, more ...ui.Crumb) web.PageView {
	row := versionRow(v)
	crumbs := append([]ui.Crumb{
		{Label: "Datasets", Href: datasetsPath}, {Label: v.Dataset, Href: datasetsPath + "/" + v.Dataset}, {Label: fmt.Sprintf("v%d", v.Number), Href: row.Href()},
	}, more...)
	page := s.page(r, fmt.Sprintf("%s v%d", v.Dataset, v.Number), crumbs...)
	for i := range page.Nav { // an export's page has its address elsewhere
		page.Nav[i].Current = page.Nav[i].Href == datasetsPath
	}
	if len(v.Recipe.Projects) == 1 { // the colours of several projects would be mixed up
		page.StyleURLs = []string{"/projects/" + v.Recipe.Projects[0] + "/classes.css"}
	}
	return page
}

func (s *Server) showVersion(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	return s.renderVersion(w, r, http.StatusOK, version, web.NewExportView{Format: firstFormat[version.Kind], Personal: store.PersonalMask})
}

// firstFormat is the format that the form of exports chooses first.
var firstFormat = map[string]string{"image": "coco", "audio": "nemo"}

func (s *Server) renderVersion(w http.ResponseWriter, r *http.Request, status int, version store.DatasetVersion, form web.NewExportView) error {
	role := actorOf(r).Role
	v := web.VersionView{
		VersionRow: versionRow(version), Recipe: version.Recipe.YAML(), NewExport: form,
		CanFreeze: access.Allows(role, access.EditDatasets), CanExport: access.Allows(role, access.Export),
	}
	if version.State == store.VersionFrozen {
		if err := s.fillVersion(r, version, &v); err != nil {
			return err
		}
	}
	return render(w, r, status, web.VersionPage(s.versionPage(r, version), v))
}

// fillVersion reads what a frozen version's page shows.
func (s *Server) fillVersion(r *http.Request, version store.DatasetVersion, v *web.VersionView) error {
	summary, err := s.Store.VersionSummary(r.Context(), version)
	if err != nil {
		return err
	}
	v.Erased = summary.Erased
	v.Sides = sideViews(summary, 0, version.Lines)
	for _, class := range summary.Classes {
		row := web.VersionClassRow{Name: class.Name, Slot: class.Slot, Definitions: definitionWords(class.Definitions), Sides: sideViews(summary, class.ID, version.Lines)}
		if len(version.Recipe.Projects) > 1 {
			row.Slot = -1
		}
		v.Classes = append(v.Classes, row)
	}
	check, err := s.Store.LastVerification(r.Context(), version)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v.Verification = verificationView(check, access.Allows(actorOf(r).Role, access.ReadRetention))
	if err := s.fillRecipe(r, version, v); err != nil {
		return err
	}
	exports, err := s.Store.Exports(r.Context(), version, exportsOnPage)
	if err != nil {
		return err
	}
	for _, export := range exports {
		v.Exports = append(v.Exports, exportRow(export, version))
	}
	if err := s.fillVersionLineage(r, version, v); err != nil {
		return err
	}
	return s.fillLines(r, version, v)
}

// sideViews lists what each split that holds anything holds of a class, or of all for 0.
func sideViews(summary store.VersionSummary, class int64, lines int) (views []web.SideView) {
	start := 0.0
	for _, split := range manifest.Splits() {
		held := slices.ContainsFunc(summary.Counts, func(c store.VersionCount) bool { return c.Split == split && c.ClassID == 0 })
		if !held {
			continue
		}
		view := web.SideView{Split: string(split), Start: start}
		for _, c := range summary.Counts {
			if c.Split == split && c.ClassID == class {
				view.Items, view.Boxes, view.Seconds, view.Words = c.Items, int(c.Boxes), c.Seconds, int(c.Words)
				view.Share = 100 * float64(c.Items) / float64(lines)
			}
		}
		start += view.Share
		views = append(views, view)
	}
	return views
}

func definitionWords(versions []int32) string {
	var words []string
	for _, v := range versions {
		if v > 0 {
			words = append(words, fmt.Sprintf("v%d", v))
		} else {
			words = append(words, "none published")
		}
	}
	return strings.Join(words, ", ")
}

func (s *Server) fillLines(r *http.Request, version store.DatasetVersion, v *web.VersionView) error {
	split := r.URL.Query().Get("split")
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = -1 // from the beginning
	}
	lines, err := s.Store.DatasetLines(r.Context(), version, split, after, linesOnPage+1)
	if err != nil {
		return err
	}
	v.Manifest.Split = split
	v.Manifest.Tabs = append(v.Manifest.Tabs, linesTab(v, "", "All", version.Lines))
	for _, side := range v.Sides {
		v.Manifest.Tabs = append(v.Manifest.Tabs, linesTab(v, side.Split, strings.ToUpper(side.Split[:1])+side.Split[1:], side.Items))
	}
	if len(lines) > linesOnPage {
		lines = lines[:linesOnPage]
		query := url.Values{"split": {split}, "after": {strconv.Itoa(lines[linesOnPage-1].Position)}}
		v.Manifest.More = v.Href() + "?" + query.Encode() + "#lines"
	}
	items := access.Allows(actorOf(r).Role, access.ReadItems)
	for _, line := range lines {
		row := web.LineRow{
			Leaf: hex.EncodeToString(line.Leaf), Key: line.Key, Split: line.Split, Width: line.Width, Height: line.Height, Boxes: line.Boxes, Seconds: line.Seconds,
			Erased: line.Erased,
		}
		if items && !line.Erased {
			row.Href, row.Text = fmt.Sprintf("/review/%d", line.ItemID), line.Text
		}
		v.Manifest.Rows = append(v.Manifest.Rows, row)
		if items && line.Thumb && len(v.Sample) < samplesOnPage && after < 0 {
			v.Sample = append(v.Sample, ui.ThumbView{
				Href: row.Href, Src: fmt.Sprintf("/media/items/%d/thumb", line.ItemID), Name: path.Base(line.Key), Width: thumbnailBorder, Height: thumbnailBorder,
			})
		}
	}
	return nil
}

func linesTab(v *web.VersionView, split, label string, count int) ui.Tab {
	href := v.Href() + "#lines"
	if split != "" {
		href = v.Href() + "?split=" + split + "#lines"
	}
	return ui.Tab{Label: label, Href: href, Count: count, Current: v.Manifest.Split == split}
}

// foundReasons are the findings of a verification in words.
var foundReasons = map[string]string{
	store.FoundChanged:     "truth, key, size, span or split is not what was frozen",
	store.FoundGone:        "is gone without having been erased",
	store.FoundOtherMedia:  "has another image or sound than was frozen",
	store.FoundBrokenMedia: "its stored image or sound is missing, or not the one that was frozen",
	store.FoundSilenced:    "an erasure of an item whose span overlaps it took part of its sound",
	store.FoundUnexplained: "only its leaf is left, and no erasure says that it took the rest",
}

// verificationView shows a check; links says whether whoever looks may open an erasure.
func verificationView(v store.Verification, links bool) web.VerificationView {
	view := web.VerificationView{
		State: v.State, Media: v.Media, Holds: v.Holds(), HashHolds: v.HashHolds, Done: v.DoneItems, Matching: v.Matching, Erased: v.Erased, Mismatched: v.Mismatched,
	}
	if v.FinishedAt != nil {
		view.At = *v.FinishedAt
	}
	for _, e := range v.Erasures {
		row := web.ErasedRow{Label: fmt.Sprintf("Erasure %d", e.Erasure), Lines: e.Lines}
		if links {
			row.Href = erasurePath(e.Erasure)
		}
		view.Erasures = append(view.Erasures, row)
	}
	for _, f := range v.Findings {
		view.Findings = append(view.Findings, web.FindingRow{Position: f.Position, Item: int(f.Item), Reason: foundReasons[f.Reason]})
	}
	return view
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	if _, err := s.Store.Verify(r.Context(), actorOf(r), version, r.PostFormValue("media") != ""); err != nil {
		return err
	}
	row := versionRow(version)
	return seeOther(w, r, row.Href())
}
