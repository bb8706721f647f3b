package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"fiducial/internal/access"
	"fiducial/internal/alerts"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const (
	alertsPath   = "/alerts"
	channelsPath = alertsPath + "/channels"
	alertsOnPage = 50
	ticksBefore  = 45 // days before an alert whose changes its page shows
)

func (s *Server) alertRoutes(r router) {
	r.get(alertsPath, access.ReadEvaluations, s.listAlerts)
	r.get(alertsPath+"/{id}", access.ReadEvaluations, s.showAlert)
	r.post(alertsPath+"/{id}/acknowledge", access.SettleAlerts, s.acted("id", s.Store.AcknowledgeAlert, "It stays here, and is quiet until it is closed.", alertsPath+"/{id}"))
	r.post(alertsPath+"/{id}/close", access.SettleAlerts, s.acted("id", s.Store.CloseAlert, "It is closed.", alertsPath+"/{id}"))
	r.post(alertsPath+"/{id}/snooze", access.SettleAlerts, s.snoozeAlert)
	r.post(alertsPath+"/{id}/send", access.SettleAlerts, s.sendAlertAgain)
	r.get(channelsPath, access.EditChains, s.listChannels)
	r.post(channelsPath, access.EditChains, s.addChannel)
	r.post(channelsPath+"/{id}/runs", access.EditChains, s.setChannelRuns)
	r.post(channelsPath+"/{id}/remove", access.EditChains, s.acted("id", s.Store.RemoveAlertChannel, "The channel is closed.", channelsPath))
}

func alertPath(id int64) string { return fmt.Sprintf("%s/%d", alertsPath, id) }

// alertCrumbs are where the pages about alerts lie: under the evaluations.
func alertCrumbs(more ...ui.Crumb) []ui.Crumb {
	return append([]ui.Crumb{evaluationsCrumb, {Label: "Alerts", Href: alertsPath}}, more...)
}

// alertsWaiting are the open ones for the rail. A page is not refused because they could not be counted.
func (s *Server) alertsWaiting(r *http.Request) int {
	n, err := s.Store.AlertsWaiting(r.Context(), actorOf(r))
	if err != nil {
		s.Log.WarnContext(r.Context(), "alerts were not counted", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	return n
}

func alertRow(a store.Alert) web.AlertRow {
	return web.AlertRow{
		ID: a.ID, Kind: a.Kind, Title: capitalized(a.Summary.Title()), Chain: a.Chain, State: a.State, Times: a.Times, Raised: a.RaisedAt, Last: a.LastAt,
		Snoozed: orZero(a.SnoozedUntil), Settled: orZero(a.SettledAt), By: a.SettledBy,
	}
}

// capitalized begins a text with a capital letter, unless its first word is written with one further on, as mAP is.
func capitalized(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if text == "" || first != strings.ToLower(first) {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func (s *Server) listAlerts(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	before, err := strconv.ParseInt(query.Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	v := web.AlertsView{All: query.Get("state") == "all", CanEdit: actorOf(r).Allowed(access.EditChains)}
	list, err := s.Store.Alerts(r.Context(), actorOf(r), store.AlertFilter{Open: !v.All, Before: before}, alertsOnPage+1)
	if err != nil {
		return err
	}
	if len(list) > alertsOnPage {
		list = list[:alertsOnPage]
		v.More = with(alertsPath, query, "before", strconv.FormatInt(list[alertsOnPage-1].ID, 10))
	}
	for _, a := range list {
		v.Rows = append(v.Rows, alertRow(a))
	}
	return render(w, r, http.StatusOK, web.AlertsPage(s.page(r, "Alerts", alertCrumbs()...), v))
}

func (s *Server) showAlert(w http.ResponseWriter, r *http.Request) error {
	alert, err := asked(r, "id", s.Store.Alert)
	if err != nil {
		return err
	}
	v := web.AlertView{
		AlertRow: alertRow(alert), Sentences: alert.Summary.Sentences(), CanSettle: actorOf(r).Allowed(access.SettleAlerts),
		Measure: alerts.MeasureName(alert.Summary.Measure),
	}
	if alert.CellID != 0 {
		v.Cell = fmt.Sprintf("/cells/%d", alert.CellID)
	}
	if alert.EvaluationID != 0 {
		v.Run = fmt.Sprintf("/evaluations/%d", alert.EvaluationID)
	}
	for _, f := range alert.Summary.Falls {
		v.Falls = append(v.Falls, fallView(f, alert.CellID))
	}
	if v.Shares, err = s.alertShares(r, alert); err != nil {
		return err
	}
	from, to := alert.RaisedAt.AddDate(0, 0, -ticksBefore), alert.LastAt.AddDate(0, 0, 1)
	if v.Ticks, err = s.ticks(r, from, to); err != nil {
		return err
	}
	v.Timeline = with(changesPath, url.Values{"from": {from.UTC().Format(time.DateOnly)}}, "to", to.UTC().Format(time.DateOnly))
	sendings, err := s.Store.AlertSendings(r.Context(), alert)
	if err != nil {
		return err
	}
	v.Sendings = sendingViews(sendings, v.CanSettle)
	return render(w, r, http.StatusOK, web.AlertPage(s.page(r, v.Title, alertCrumbs(ui.Crumb{Label: v.Title})...), v))
}

// sendingViews are sendings as pages list them; again is whether those that did not arrive may be sent once more.
func sendingViews(sendings []store.AlertSending, again bool) (views []web.SendingView) {
	for _, x := range sendings {
		view := web.SendingView{Channel: x.Channel, Kind: x.Kind, State: x.State, Fault: sendingFault(x.Fault), Attempts: x.Attempts, At: orZero(x.SentAt)}
		if again && x.State == "dead" {
			view.Again = x.ChannelID
		}
		views = append(views, view)
	}
	return views
}

// alertShares is where the fall of an alert comes from: since the same models on an earlier version if it fell against that, else since its baseline.
// Nil: the alert is of no fall, or of a cell that is gone.
func (s *Server) alertShares(r *http.Request, alert store.Alert) (templ.Component, error) {
	from := int64(0)
	for _, f := range alert.Summary.Falls {
		if from == 0 || f.Against == alerts.AgainstBefore {
			from = f.Cell
		}
	}
	if alert.CellID == 0 || from == 0 {
		return nil, nil //nolint:nilnil // nothing is shown
	}
	cell, err := s.Store.CellPage(r.Context(), actorOf(r), alert.CellID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	v, err := s.attributionSince(r, cell, from)
	if err != nil || v == nil {
		return nil, err
	}
	return web.Attribution(*v), nil
}

func fallView(f alerts.Worsening, cell int64) web.FallView {
	v := web.FallView{
		Against: "baseline " + f.Name, From: threeDigits(f.From), To: threeDigits(f.To), Difference: signed(f.Value),
		Interval: signed(f.Low) + " to " + signed(f.High), P: "< 0.001", Items: f.Items,
	}
	if f.Against == alerts.AgainstBefore {
		v.Against = "the same models on " + f.Name
	}
	if f.Cell != 0 {
		v.Href = fmt.Sprintf("/cells/%d", f.Cell)
	}
	if f.Cell != 0 && cell != 0 {
		v.Shares = fmt.Sprintf("%s?since=%d#attribution-title", cellHref(cell), f.Cell)
	}
	if f.P >= 0.001 {
		v.P = threeDigits(f.P)
	}
	return v
}

func threeDigits(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', 3, 64), "-", "−", 1)
}

// sendingFault is a fault of a sending in words.
func sendingFault(fault string) string {
	switch fault {
	case store.FaultInterrupted:
		return "the server stopped while it was being sent: it may have arrived"
	case store.FaultMail:
		return "this server has no mail server to send by: start it with --smtp-url and --mail-from"
	case store.FaultRecipient:
		return "the mail server does not take it for this address"
	case store.FaultCertificate:
		return "the mail server's certificate is not trusted: name the authority that signed it with --smtp-ca, and the server as the certificate does"
	case store.FaultPlain:
		return "the mail server offers no STARTTLS, which is insisted on: use smtps://, or ?tls=off for a relay in your own network"
	case store.FaultSignIn:
		return "the mail server does not take this user and password: correct them in --smtp-url"
	case store.FaultStatus:
		return "the answer said no"
	case store.FaultSealed:
		return "its address was sealed by another installation's key: open the channel again"
	case store.FaultTimeout:
		return "no answer in time: it may have arrived"
	}
	return callFaults[fault]
}

func (s *Server) snoozeAlert(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil {
		days = 0
	}
	if err := s.Store.SnoozeAlert(r.Context(), actorOf(r), id, days); err != nil {
		return err
	}
	s.flash(r, "It is put off.")
	return seeOther(w, r, alertPath(id))
}

func (s *Server) sendAlertAgain(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	channel, err := strconv.ParseInt(r.PostFormValue("channel"), 10, 64)
	if err != nil || channel <= 0 {
		return badRequest("The form is incomplete. Load the page again.")
	}
	if err := s.Store.SendAlertAgain(r.Context(), actorOf(r), id, channel); err != nil {
		return err
	}
	s.flash(r, "It is sent again.")
	return seeOther(w, r, alertPath(id))
}

func (s *Server) listChannels(w http.ResponseWriter, r *http.Request) error {
	return s.renderChannels(w, r, http.StatusOK, web.ChannelsView{Kind: store.ToWebhook})
}

func (s *Server) renderChannels(w http.ResponseWriter, r *http.Request, status int, v web.ChannelsView) error {
	channels, err := s.Store.AlertChannels(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	for _, c := range channels {
		v.Rows = append(v.Rows, web.ChannelRow{ID: c.ID, Name: c.Name, Kind: c.Kind, Host: c.Host, Chain: c.Chain, Runs: c.Runs, At: c.CreatedAt, Sent: c.Sent, Dead: c.Dead})
	}
	chains, err := s.Store.Chains(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	v.Chains = []ui.Option{{Value: "0", Label: "every chain"}}
	for _, c := range chains {
		v.Chains = append(v.Chains, ui.Option{Value: strconv.FormatInt(c.ID, 10), Label: c.Name})
	}
	return render(w, r, status, web.ChannelsPage(s.page(r, "Channels", alertCrumbs(ui.Crumb{Label: "Channels"})...), v))
}

func (s *Server) addChannel(w http.ResponseWriter, r *http.Request) error {
	v := web.ChannelsView{Name: r.PostFormValue("name"), Kind: r.PostFormValue("kind"), Target: r.PostFormValue("target"), Chain: r.PostFormValue("chain"), Runs: r.PostFormValue("runs") != ""}
	chain, err := strconv.ParseInt(v.Chain, 10, 64)
	if err != nil {
		chain = 0
	}
	_, err = s.openChannel(r.Context(), actorOf(r), store.NewChannel{Name: v.Name, Kind: v.Kind, Target: v.Target, Chain: chain, Runs: v.Runs})
	if refused, ok := refusalOf(err); ok {
		v.Refused = refused
		return s.renderChannels(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	s.flash(r, "The channel is open.")
	return seeOther(w, r, channelsPath)
}

// openChannel looks at the address of a webhook first, so that none is kept that nothing would be sent to.
func (s *Server) openChannel(ctx context.Context, actor store.Actor, n store.NewChannel) (int64, error) {
	if n.Kind == store.ToWebhook {
		if err := s.checkHook(n.Target); err != nil {
			refused, ok := refusalOf(err)
			if !ok {
				return 0, err
			}
			return 0, &store.InvalidError{Field: "target", Reason: refused.Reason}
		}
	}
	return s.Store.AddAlertChannel(ctx, actor, n)
}

func (s *Server) setChannelRuns(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	runs := r.PostFormValue("runs") != ""
	if err := s.Store.SetChannelRuns(r.Context(), actorOf(r), id, runs); err != nil {
		return err
	}
	s.flash(r, map[bool]string{true: "The channel is told of each finished run, too.", false: "The channel takes alerts alone."}[runs])
	return seeOther(w, r, channelsPath)
}
