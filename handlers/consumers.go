package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	consumersPath    = "/consumers"
	consumersOnPage  = 50
	toldOnPage       = 50
	noticeLinesShown = 100
)

func (s *Server) consumerRoutes(r router) {
	r.get(consumersPath, access.ReadDatasets, s.listConsumers)
	r.post(consumersPath, access.KeepConsumers, s.addConsumer)
	r.get(consumersPath+"/{id}", access.ReadDatasets, s.showConsumer)
	r.post(consumersPath+"/{id}/address", access.KeepConsumers, s.setConsumerAddress)
	r.post(consumersPath+"/{id}/versions", access.KeepConsumers, s.recordConsumer)
	r.post(consumersPath+"/{id}/end", access.KeepConsumers, s.endConsumer)
	r.get("/consumer-notices/{id}", access.ReadDatasets, s.showConsumerNotice)
	r.post("/consumer-notices/{id}/confirm", access.ReadDatasets, s.confirmNotice)
	r.post("/consumer-notices/{id}/tell", access.KeepConsumers, s.acted("id", s.Store.TellAgain, "It is called again.", "/consumer-notices/{id}"))
	r.get("/confirm/{id}/{mark}", public, s.showConfirm)
	r.post("/confirm/{id}/{mark}", public, s.confirmByLink)
}

func noticePath(id int64) string { return fmt.Sprintf("/consumer-notices/%d", id) }

func consumerRow(c store.Consumer) web.ConsumerRow {
	row := web.ConsumerRow{
		ID: c.ID, Name: c.Name, Kind: c.Kind, Versions: c.Versions, Open: c.Open, Dead: c.Dead, OpenSince: orZero(c.OpenSince), Since: c.CreatedAt,
	}
	if c.Kind == "named" {
		row.Owner = c.Owner
	}
	if address, err := url.Parse(c.URL); err == nil {
		row.Address = address.Host
	}
	return row
}

func (s *Server) listConsumers(w http.ResponseWriter, r *http.Request) error {
	return s.renderConsumers(w, r, http.StatusOK, web.ConsumerForm{})
}

func (s *Server) renderConsumers(w http.ResponseWriter, r *http.Request, status int, form web.ConsumerForm) error {
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	consumers, err := s.Store.Consumers(r.Context(), actorOf(r), before, consumersOnPage+1)
	if err != nil {
		return err
	}
	v := web.ConsumersView{New: form, CanKeep: actorOf(r).Allowed(access.KeepConsumers)}
	if len(consumers) > consumersOnPage {
		consumers = consumers[:consumersOnPage]
		v.More = fmt.Sprintf("%s?before=%d", consumersPath, consumers[consumersOnPage-1].ID)
	}
	for _, c := range consumers {
		v.Rows = append(v.Rows, consumerRow(c))
		v.Open += c.Open
	}
	page := s.page(r, "Consumers", ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: "Consumers"})
	return render(w, r, status, web.ConsumersPage(page, v))
}

func (s *Server) addConsumer(w http.ResponseWriter, r *http.Request) error {
	form := web.ConsumerForm{Name: r.PostFormValue("name"), Owner: r.PostFormValue("owner"), URL: r.PostFormValue("url")}
	id, secret, err := s.makeConsumer(r, form)
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		return s.renderConsumers(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	if secret != "" {
		return s.renderConsumer(w, r, http.StatusOK, id, web.ConsumerView{Secret: secret})
	}
	return seeOther(w, r, fmt.Sprintf("%s/%d", consumersPath, id))
}

// makeConsumer looks at the address first: a consumer whose address is refused would be there without one.
func (s *Server) makeConsumer(r *http.Request, form web.ConsumerForm) (id int64, secret string, err error) {
	if err := s.checkHook(form.URL); err != nil {
		return 0, "", err
	}
	if id, err = s.Store.AddConsumer(r.Context(), actorOf(r), form.Name, form.Owner); err != nil || strings.TrimSpace(form.URL) == "" {
		return id, "", err
	}
	secret, err = s.Store.SetConsumerURL(r.Context(), actorOf(r), id, form.URL)
	return id, secret, err
}

// checkHook refuses an address that no call would go to.
func (s *Server) checkHook(address string) error {
	if err := store.CheckHook(strings.TrimSpace(address)); err != nil {
		return err
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err == nil && u.Host != "" && !s.Webhooks.AllowsHost(u.Hostname()) {
		return &store.InvalidError{Field: "url", Reason: "Calls may not go to " + u.Hostname() + ". Whoever runs the server can allow it with --webhook-hosts."}
	}
	return nil
}

func (s *Server) showConsumer(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	return s.renderConsumer(w, r, http.StatusOK, id, web.ConsumerView{})
}

// renderConsumer shows a consumer; v brings the secret to show, or the form that was refused.
func (s *Server) renderConsumer(w http.ResponseWriter, r *http.Request, status int, id int64, v web.ConsumerView) error {
	consumer, err := s.Store.Consumer(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	v.ConsumerRow, v.URL, v.CanKeep = consumerRow(consumer), consumer.URL, actorOf(r).Allowed(access.KeepConsumers)
	if v.Refused.For("url") == "" {
		v.Typed = consumer.URL
	}
	uses, err := s.Store.VersionsOf(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	for _, use := range uses {
		v.Uses = append(v.Uses, useRow(use, v.CanKeep))
	}
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	notices, err := s.Store.ConsumerNotices(r.Context(), actorOf(r), store.NoticeFilter{Consumer: id, Before: before}, toldOnPage+1)
	if err != nil {
		return err
	}
	if len(notices) > toldOnPage {
		notices = notices[:toldOnPage]
		v.More = fmt.Sprintf("%s?before=%d", v.Href(), notices[toldOnPage-1].ID)
	}
	for _, n := range notices {
		v.Told = append(v.Told, toldRow(r, n, consumer.URL != ""))
	}
	if v.CanKeep {
		if v.Versions, err = s.frozenVersions(r); err != nil {
			return err
		}
	}
	page := s.page(r, consumer.Name, ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: "Consumers", Href: consumersPath}, ui.Crumb{Label: consumer.Name})
	return render(w, r, status, web.ConsumerPage(page, v))
}

// frozenVersions are the newest frozen version of each dataset and those before it, as a form offers them.
func (s *Server) frozenVersions(r *http.Request) (options []ui.Option, err error) {
	newest, err := s.Store.Datasets(r.Context(), actorOf(r), "", datasetsOnPage)
	if err != nil {
		return nil, err
	}
	for _, dataset := range newest {
		versions, err := s.Store.DatasetVersions(r.Context(), actorOf(r), dataset.Dataset)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			if v.State == store.VersionFrozen {
				options = append(options, ui.Option{Value: fmt.Sprintf("%s@%d", v.Dataset, v.Number), Label: fmt.Sprintf("%s v%d", v.Dataset, v.Number)})
			}
		}
	}
	return options, nil
}

func useRow(use store.VersionConsumer, keeps bool) web.UseRow {
	row := web.UseRow{
		Version: fmt.Sprintf("%s v%d", use.Dataset, use.Number), Href: fmt.Sprintf("%s/%s/%d", datasetsPath, use.Dataset, use.Number), Consumer: use.Consumer,
		ConsumerHref: fmt.Sprintf("%s/%d", consumersPath, use.ConsumerID), How: use.How, Export: use.ExportID, Since: use.Since, Ended: use.EndedAt != nil,
		Told: use.Told, Open: use.Open, OpenSince: orZero(use.OpenSince),
	}
	if keeps {
		row.End, row.EndVersion = row.ConsumerHref+"/end", fmt.Sprintf("%s@%d", use.Dataset, use.Number)
	}
	return row
}

// callFaults are the faults of a call in words.
var callFaults = map[string]string{
	store.FaultAddress: "its address lies in a network that calls may not go to", store.FaultHost: "its host is not one that may be called",
	store.FaultRedirect: "it answered with a redirect", store.FaultTimeout: "no answer in time", store.FaultConnection: "no connection",
	store.FaultSealed: "its secret was sealed by another installation's key: save its address again",
}

func toldRow(r *http.Request, n store.ConsumerNotice, called bool) web.ToldRow {
	actor := actorOf(r)
	row := web.ToldRow{
		ID: n.ID, Consumer: n.Consumer, ConsumerHref: fmt.Sprintf("%s/%d", consumersPath, n.ConsumerID), Version: fmt.Sprintf("%s v%d", n.Dataset, n.Number),
		VersionHref: fmt.Sprintf("%s/%s/%d", datasetsPath, n.Dataset, n.Number), Erasure: n.ErasureID, Kind: n.Kind, Lines: n.Lines, State: n.State,
		Fault: callFaults[n.Fault], Attempts: n.Attempts, At: n.At, ToldAt: orZero(n.ToldAt), Confirmed: orZero(n.ConfirmedAt), By: n.ConfirmedBy,
	}
	if n.Fault == store.FaultStatus {
		row.Fault = fmt.Sprintf("it answered %d", n.Status)
	}
	keeps := actor.Allowed(access.KeepConsumers)
	row.CanConfirm = keeps || actor.PersonID != 0 && actor.PersonID == n.OwnerID
	row.CanTell = keeps && called && n.ConfirmedAt == nil && n.State != store.NoticeWaiting
	return row
}

func (s *Server) setConsumerAddress(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	typed := r.PostFormValue("url")
	var secret string
	if err = s.checkHook(typed); err == nil {
		secret, err = s.Store.SetConsumerURL(r.Context(), actorOf(r), id, typed)
	}
	if refused, ok := refusalOf(err); ok {
		return s.renderConsumer(w, r, http.StatusUnprocessableEntity, id, web.ConsumerView{Typed: typed, Refused: refused})
	}
	if err != nil {
		return err
	}
	if secret == "" {
		s.flash(r, "It is not called any more.")
		return seeOther(w, r, fmt.Sprintf("%s/%d", consumersPath, id))
	}
	return s.renderConsumer(w, r, http.StatusOK, id, web.ConsumerView{Secret: secret})
}

// usedVersion returns the consumer of the path and the version that the form names.
func (s *Server) usedVersion(r *http.Request) (consumer int64, version store.DatasetVersion, err error) {
	if consumer, err = pathID(r, "id"); err != nil {
		return 0, version, err
	}
	version, err = s.versionNamed(r.Context(), actorOf(r), "version", r.PostFormValue("version"))
	return consumer, version, err
}

func (s *Server) recordConsumer(w http.ResponseWriter, r *http.Request) error {
	consumer, version, err := s.usedVersion(r)
	if err == nil {
		err = s.Store.RecordConsumer(r.Context(), actorOf(r), version, consumer)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("It uses %s v%d.", version.Dataset, version.Number))
	return seeOther(w, r, fmt.Sprintf("%s/%d", consumersPath, consumer))
}

func (s *Server) endConsumer(w http.ResponseWriter, r *http.Request) error {
	consumer, version, err := s.usedVersion(r)
	if err == nil {
		err = s.Store.EndConsumer(r.Context(), actorOf(r), version, consumer)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("It does not use %s v%d any more.", version.Dataset, version.Number))
	return seeOther(w, r, fmt.Sprintf("%s/%d", consumersPath, consumer))
}

func (s *Server) showConsumerNotice(w http.ResponseWriter, r *http.Request) error {
	notice, err := asked(r, "id", s.Store.ConsumerNotice)
	if err != nil {
		return err
	}
	v := web.NoticeLinesView{ToldRow: toldRow(r, notice, false)}
	if v.CanConfirm {
		v.Confirm = v.Href() + "/confirm"
	}
	title := "Erased lines"
	page := s.page(r, title, ui.Crumb{Label: "Datasets", Href: datasetsPath}, ui.Crumb{Label: "Consumers", Href: consumersPath},
		ui.Crumb{Label: notice.Consumer, Href: v.ConsumerHref}, ui.Crumb{Label: title})
	return s.renderNotice(w, r, notice, page, v, v.Href())
}

func (s *Server) renderNotice(w http.ResponseWriter, r *http.Request, notice store.ConsumerNotice, page web.PageView, v web.NoticeLinesView, href string) error {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = -1
	}
	lines, err := s.Store.NoticeLines(r.Context(), notice, after, noticeLinesShown+1)
	if err != nil {
		return err
	}
	if len(lines) > noticeLinesShown {
		lines = lines[:noticeLinesShown]
		v.More = fmt.Sprintf("%s?after=%d", href, lines[noticeLinesShown-1].Position)
	}
	for _, line := range lines {
		v.Rows = append(v.Rows, web.NoticeLine(line))
	}
	return render(w, r, http.StatusOK, web.NoticeLinesPage(page, v))
}

func (s *Server) confirmNotice(w http.ResponseWriter, r *http.Request) error {
	notice, err := asked(r, "id", s.Store.ConfirmNotice)
	if err != nil {
		return err
	}
	s.flash(r, "Confirmed: the copy is deleted.")
	return seeOther(w, r, noticePath(notice.ID))
}

// showConfirm is the page of a signed link: whoever has it needs no account.
func (s *Server) showConfirm(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	notice, err := s.Store.NoticeByLink(r.Context(), id, chi.URLParam(r, "mark"))
	if err != nil {
		return err
	}
	v := web.NoticeLinesView{ToldRow: toldRow(r, notice, false), Confirm: r.URL.Path}
	v.VersionHref, v.By = "", "" // for who has an account
	w.Header().Set("Referrer-Policy", "no-referrer")
	return s.renderNotice(w, r, notice, web.PageView{Title: "Erased lines"}, v, r.URL.Path)
}

func (s *Server) confirmByLink(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if _, err := s.Store.ConfirmByLink(r.Context(), id, chi.URLParam(r, "mark")); err != nil {
		return err
	}
	return seeOther(w, r, r.URL.Path)
}
