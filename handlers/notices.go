package handlers

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"fiducial/internal/access"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const noticesShown = 50

func (s *Server) noticeRoutes(r router) {
	r.get("/notices", access.Account, s.showNotices)
	r.post("/notices/read", access.Account, s.readNotices)
}

// bell is the top bar's. A page is not refused because its notices could not be counted.
func (s *Server) bell(r *http.Request) templ.Component {
	unread, err := s.Store.UnreadNotices(r.Context(), actorOf(r))
	if err != nil {
		s.Log.WarnContext(r.Context(), "notices were not counted", slog.String("request", requestIDOf(r)), slog.Any("error", err))
	}
	return web.Bell(unread)
}

func (s *Server) showNotices(w http.ResponseWriter, r *http.Request) error {
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	notices, err := s.Store.Notices(r.Context(), actorOf(r), before, noticesShown)
	if err != nil {
		return err
	}
	v := web.NoticesView{Page: s.page(r, "Notices")}
	for _, n := range notices {
		v.Notices = append(v.Notices, noticeView(n, actorOf(r).Role))
		if !n.Read {
			v.Unread++
		}
	}
	if len(notices) > 0 {
		v.UpTo = strconv.FormatInt(notices[0].ID, 10)
	}
	if len(notices) == noticesShown {
		v.Older = "/notices?before=" + strconv.FormatInt(notices[noticesShown-1].ID, 10)
	}
	return render(w, r, http.StatusOK, web.NoticesPage(v))
}

func noticeView(n store.Notice, role access.Role) web.NoticeView {
	v := web.NoticeView{At: n.At, Read: n.Read, Title: n.ProjectName, Icon: "info", Tone: ui.Info}
	switch n.Kind {
	case store.AnswerRejected:
		v.Title, v.Text = "An answer came back in "+n.ProjectName, "A reviewer left remarks on it. It is first in your queue."
		v.Icon, v.Tone, v.Href, v.Act = "undo-2", ui.Warn, fmt.Sprintf("/label/%d", n.ObjectID), "Look at it"
	case store.LabelsReturned:
		v.Title, v.Text = "Answers came back in "+n.ProjectName, "A definition or a rule was sharpened after you gave them. They are first in your queue, with what is in question marked."
		v.Icon, v.Tone, v.Href, v.Act = "book-open", ui.Warn, queuePath, "To my queue"
	case store.TestSetShrinks:
		v.Title, v.Text = "A test split gets too small within two weeks", "Items of it expire. Have others labeled in their place before that."
		v.Icon, v.Tone, v.Href, v.Act = "calendar-clock", ui.Warn, retentionPath+"?split=test#parts", "Look at the calendar"
	case store.AnswerSetAside:
		v.Title, v.Text = "A late answer was set aside in "+n.ProjectName, "Others had answered the item by then. There is nothing to do for you."
	case store.BatchYours, store.BatchAnswered, store.BatchDone, store.BatchBack:
		return batchNotice(n, role, v)
	case store.RejectionUndone:
		v.Title, v.Text = "An answer counts again in "+n.ProjectName, "The reviewer took the rejection back. There is nothing to do for you."
		v.Icon, v.Tone = "circle-check", ui.OK
	case store.CommentMention:
		v.Title, v.Text = "Somebody mentioned you in "+n.ProjectName, "In the discussion of an item."
		v.Icon, v.Href, v.Act = "message-square", fmt.Sprintf("/comments/%d", n.ObjectID), "Read it"
	case store.CommentReply:
		v.Title, v.Text = "A discussion goes on in "+n.ProjectName, "You said something there, or it is about an answer of yours."
		v.Icon, v.Href, v.Act = "message-square", discussionHref(n.ObjectID), "Read it"
	case store.LinesErased:
		v.Title, v.Text = "Items of a dataset that you use were erased", "Delete them from your copy too, and confirm that you did."
		v.Icon, v.Tone, v.Href, v.Act = "shield", ui.Warn, noticePath(n.ObjectID), "See which"
	case store.ConcernRaised:
		v.Title, v.Text = "A labeler fell under the limit in "+n.ProjectName, "Their gold items say so. Nothing is done unless you say what."
		v.Icon, v.Tone, v.Href, v.Act = "triangle-alert", ui.Warn, "/projects/"+n.Project+"/quality#concerns", "Look at it"
	case store.TalkWanted:
		v.Title, v.Text = "A reviewer would like to talk about "+n.ProjectName, "About how the work goes. Say hello when it suits you both."
		v.Icon, v.Href, v.Act = "message-square", ownQualityPath, "How my work does"
	case store.MemberPaused:
		v.Title, v.Text = "Nothing new for you in "+n.ProjectName+" for now", "A reviewer would like to look at something with you first. What you have open is yours to finish."
		v.Icon, v.Href, v.Act = "pause", queuePath, "To my queue"
	case store.ExportErased:
		v.Title, v.Text = "An export that you have taken is deleted", "An item in it was erased: delete your copies too. Export the version again to get the rest."
		v.Icon, v.Tone, v.Href, v.Act = "eraser", ui.Warn, fmt.Sprintf("/exports/%d", n.ObjectID), "Look at the export"
	case store.ErasureOverdue:
		v.Title, v.Text = "An erasure is overdue", "It was to be done by now."
		v.Icon, v.Tone, v.Href, v.Act = "triangle-alert", ui.Bad, erasurePath(n.ObjectID), "Look at it"
	case store.AlertRaised:
		v.Title, v.Text = "An alert of the evaluations", "A figure has really fallen, a run is missing, or a figure leans."
		v.Icon, v.Tone, v.Href, v.Act = "triangle-alert", ui.Bad, alertPath(n.ObjectID), "Look at it"
	case store.MemberResumed:
		v.Title, v.Text = "You get work in "+n.ProjectName+" again", "Go on when you like."
		v.Icon, v.Tone, v.Href, v.Act = "circle-check", ui.OK, queuePath, "To my queue"
	}
	return v
}

func (s *Server) readNotices(w http.ResponseWriter, r *http.Request) error {
	upTo, err := strconv.ParseInt(r.PostFormValue("up_to"), 10, 64)
	if err != nil {
		return badRequest("The form is incomplete. Load the page again.")
	}
	if err := s.Store.ReadNotices(r.Context(), actorOf(r), upTo); err != nil {
		return err
	}
	return seeOther(w, r, "/notices")
}
