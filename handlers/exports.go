package handlers

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"

	"fiducial/internal/access"
	"fiducial/internal/formats"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

func (s *Server) exportRoutes(r router) {
	r.post(datasetsPath+"/{dataset}/{number}/exports", access.Export, s.addExport)
	r.get("/exports/{id}", access.ReadDatasets, s.showExport)
	r.get("/exports/{id}/download", access.Export, s.downloadExport)
}

func exportRow(e store.Export, v store.DatasetVersion) web.ExportRow {
	return web.ExportRow{
		ID: e.ID, Format: e.Format, State: e.State, Media: e.Media, Sound: v.Kind == "audio", Personal: e.Personal, Done: e.DoneItems, Total: v.Lines, Bytes: e.Bytes, Losses: e.Losses, At: e.CreatedAt,
	}
}

// exportName is what an archive is called when it is saved.
func exportName(e store.Export, v store.DatasetVersion) string {
	name := fmt.Sprintf("%s-v%d-%s", v.Dataset, v.Number, e.Format)
	switch {
	case e.Media && v.Kind == "audio":
		name += "-clips"
	case e.Media:
		name += "-images"
	}
	return name + ".zip"
}

func (s *Server) addExport(w http.ResponseWriter, r *http.Request) error {
	version, err := s.version(r)
	if err != nil {
		return err
	}
	form := web.NewExportView{
		Format: r.PostFormValue("format"), Media: r.PostFormValue("media") != "", Personal: r.PostFormValue("personal"), Decided: r.PostFormValue("decided") != "",
		Reason: r.PostFormValue("personal_reason"),
	}
	export, err := s.Store.AddExport(r.Context(), actorOf(r), version, store.ExportAsk{
		Format: form.Format, Media: form.Media, Personal: form.Personal, Decided: form.Decided, Reason: form.Reason,
	})
	refused, ok := refusalOf(err)
	if ok {
		form.Refused = refused
		return s.renderVersion(w, r, http.StatusUnprocessableEntity, version, form)
	}
	if err != nil {
		return err
	}
	row := exportRow(export, version)
	return seeOther(w, r, row.Href())
}

func (s *Server) showExport(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	export, version, err := s.Store.Export(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	v := web.ExportView{
		ExportRow: exportRow(export, version), Version: versionRow(version), Error: export.Error, SHA256: hex.EncodeToString(export.SHA256),
		By: export.CreatedBy, CanDownload: access.Allows(actorOf(r).Role, access.Export), FileName: exportName(export, version),
		Decided: export.Decided, Reason: export.Reason,
	}
	if export.State == store.ExportDone {
		if err := s.fillLosses(r, export, &v); err != nil {
			return err
		}
	}
	return render(w, r, http.StatusOK, web.ExportPage(s.versionPage(r, version, ui.Crumb{Label: "Export"}), v))
}

func (s *Server) fillLosses(r *http.Request, export store.Export, v *web.ExportView) error {
	document, err := s.Store.ExportReport(r.Context(), export)
	if err != nil {
		return err
	}
	var report formats.Report
	if err := json.Unmarshal(document, &report); err != nil {
		return fmt.Errorf("report of export %d: %w", export.ID, err)
	}
	v.Unlisted = report.Unlisted
	for _, loss := range report.Losses {
		place := path.Join(loss.File, loss.ID)
		v.Losses = append(v.Losses, web.LossRow{Kind: loss.Kind.Words(), Place: place, Reason: loss.Reason, Count: loss.Count})
	}
	return nil
}

func (s *Server) downloadExport(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	return s.serveExport(w, r, id)
}

// serveExport streams the archive, or the range of it that a broken download asks for.
func (s *Server) serveExport(w http.ResponseWriter, r *http.Request, id int64) error {
	export, version, archive, err := s.Store.Download(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": exportName(export, version)}))
	h.Set("Cache-Control", "no-store")
	h.Set("Etag", `"`+hex.EncodeToString(export.SHA256)+`"`)
	http.ServeContent(w, r, "", *version.FrozenAt, archive)
	return archive.Close()
}
