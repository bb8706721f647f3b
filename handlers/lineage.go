package handlers

import (
	"fmt"
	"net/http"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// How many notices to consumers, and how many evaluations, a version's page lists.
const (
	toldOnVersion  = 20
	measuredOnPage = 10
)

// relativeWords say how versions are related.
var relativeWords = map[string]string{
	"parent": "Made after", "rebuilt": "Rebuild of", "child": "Followed by", "rebuild": "Rebuilt as",
}

// fillVersionLineage reads where a version comes from, who uses it, and what was erased from it.
func (s *Server) fillVersionLineage(r *http.Request, version store.DatasetVersion, v *web.VersionView) error {
	actor := actorOf(r)
	v.Lineage.CanKeep = actor.Allowed(access.KeepConsumers)
	relatives, err := s.Store.Relatives(r.Context(), actor, version)
	if err != nil {
		return err
	}
	for _, relative := range relatives {
		v.Lineage.Relatives = append(v.Lineage.Relatives, web.RelativeView{
			Word: relativeWords[relative.Kind], Name: fmt.Sprintf("%s v%d", relative.Dataset, relative.Number),
			Href: fmt.Sprintf("%s/%s/%d", datasetsPath, relative.Dataset, relative.Number),
		})
		if relative.Kind == "parent" && relative.Dataset == version.Dataset {
			v.Lineage.Compare = fmt.Sprintf("%s/%s/diff?from=%d&to=%d", datasetsPath, version.Dataset, relative.Number, version.Number)
		}
	}
	uses, err := s.Store.ConsumersOf(r.Context(), actor, version)
	if err != nil {
		return err
	}
	for _, use := range uses {
		v.Lineage.Consumers = append(v.Lineage.Consumers, useRow(use, v.Lineage.CanKeep))
	}
	told, err := s.Store.ConsumerNotices(r.Context(), actor, store.NoticeFilter{Version: version.ID}, toldOnVersion)
	if err != nil {
		return err
	}
	for _, n := range told {
		v.Lineage.Told = append(v.Lineage.Told, toldRow(r, n, n.State != store.NoticeNoted))
	}
	measured, err := s.Store.MeasuredOn(r.Context(), actor, version, measuredOnPage)
	if err != nil {
		return err
	}
	for _, m := range measured {
		v.Lineage.Measured = append(v.Lineage.Measured, web.MeasuredRow{Crumb: measuredCrumb(m), Chain: m.Chain, Split: m.Split, State: m.State, At: m.At})
	}
	taken, err := s.Store.TakenFrom(r.Context(), version)
	if err != nil {
		return err
	}
	for _, t := range taken {
		row := web.TakenRow{Erasure: t.Erasure, Kind: t.Kind, Lines: t.Lines, At: orZero(t.ErasedAt)}
		if actorOf(r).Allowed(access.ReadRetention) {
			row.Href = erasurePath(t.Erasure)
		}
		v.Lineage.Taken = append(v.Lineage.Taken, row)
	}
	return nil
}

// measuredCrumb leads to an evaluation.
func measuredCrumb(m store.MeasuredOn) ui.Crumb {
	label := m.Title
	if label == "" {
		label = fmt.Sprintf("%s, run %d", m.Chain, m.Evaluation)
	}
	return ui.Crumb{Label: label, Href: fmt.Sprintf("/evaluations/%d", m.Evaluation)}
}

// itemPlaces reads where an item is beside here.
func (s *Server) itemPlaces(r *http.Request, item int64) (places []web.ItemPlaceView, err error) {
	if !actorOf(r).Allowed(access.ReadDatasets) {
		return nil, nil
	}
	uses, err := s.Store.Lineage(r.Context(), actorOf(r), item)
	if err != nil {
		return nil, err
	}
	for _, use := range uses {
		place := web.ItemPlaceView{
			Version: fmt.Sprintf("%s v%d", use.Dataset, use.Number), Href: fmt.Sprintf("%s/%s/%d", datasetsPath, use.Dataset, use.Number),
			Split: use.Split, Current: use.Current, At: use.FrozenAt,
		}
		for _, e := range use.Exports {
			place.Exports = append(place.Exports, web.ItemExportView{Label: fmt.Sprintf("%s, export %d", e.Format, e.ID), Href: fmt.Sprintf("/exports/%d", e.ID)})
		}
		for _, c := range use.Consumers {
			place.Consumers = append(place.Consumers, ui.Crumb{Label: c.Consumer, Href: fmt.Sprintf("%s/%d", consumersPath, c.ConsumerID)})
		}
		for _, m := range use.Measured {
			place.Measured = append(place.Measured, measuredCrumb(m))
		}
		places = append(places, place)
	}
	return places, nil
}
