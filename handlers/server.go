// Package handlers turns HTTP requests into store calls and web components.
package handlers

import (
	"log/slog"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"fiducial/assets"
	"fiducial/internal/access"
	"fiducial/internal/webhook"
	"fiducial/store"
)

// Config is what the site needs from outside.
type Config struct {
	Store     *store.Store
	Log       *slog.Logger
	Sessions  *scs.SessionManager
	PublicURL string       // for links in what is sent; from the request if empty
	JobsUI    http.Handler // River's own pages, nil if this process has none

	// Webhooks says where consumers may be called; it is asked for again when they are.
	Webhooks webhook.Policy

	// Models asks model servers when somebody tries one; nil if this process asks none.
	Models ModelAsker

	// TrustedProxies are the networks, such as 10.0.0.0/8, whose X-Forwarded-For is believed.
	TrustedProxies []string
}

// Server answers every request.
type Server struct {
	Config

	crossOrigin *http.CrossOriginProtection
	routes      []route
}

// route is one entry of the site, with the action that opens it; "" is open to everybody.
type route struct {
	Method, Pattern string
	Action          access.Action
}

// handler answers one request, or says why it cannot.
type handler func(http.ResponseWriter, *http.Request) error

// router registers handlers under the action that a role needs for them.
type router struct {
	chi.Router

	server *Server
}

// New returns the site over cfg.
func New(cfg Config) *Server {
	s := &Server{Config: cfg, crossOrigin: http.NewCrossOriginProtection()}
	s.Sessions.ErrorFunc = s.fail
	return s
}

// Routes returns the whole site.
func (s *Server) Routes() http.Handler {
	mux := chi.NewRouter()
	mux.Use(s.requestID, s.logRequests, s.recoverPanics, s.securityHeaders, s.refuseMalformed, middleware.GetHead)
	s.routes = nil
	s.operationRoutes(mux)
	mux.Handle(assets.Prefix+"*", assets.Handler())
	mux.Group(func(site chi.Router) {
		site.Use(s.crossOrigin.Handler, s.Sessions.LoadAndSave, s.identify)
		r := router{Router: site, server: s}
		s.sessionRoutes(r)
		s.preferenceRoutes(r)
		s.startRoutes(r)
		s.accountRoutes(r)
		s.peopleRoutes(r)
		s.invitationRoutes(r)
		s.tokenRoutes(r)
		s.auditRoutes(r)
		s.jobRoutes(r)
		s.metricsRoutes(r)
		s.reviewRoutes(r)
		s.noticeRoutes(r)
		s.discussionRoutes(r)
		s.qualityRoutes(r)
		s.goldRoutes(r)
		s.personalRoutes(r)
		s.apiRoutes(r)
		s.guidelineRoutes(r)
		s.relabelRoutes(r)
		s.pairRoutes(r)
		s.queueRoutes(r)
		s.labelRoutes(r)
		s.importRoutes(r)
		s.mediaRoutes(r)
		s.datasetRoutes(r)
		s.modelRoutes(r)
		s.modelServerRoutes(r)
		s.evaluationRoutes(r)
		s.consumerRoutes(r)
		s.changeRoutes(r)
		s.alertRoutes(r)
		s.scheduleRoutes(r)
		s.batchRoutes(r)
		s.projectRoutes(r)
		s.itemRoutes(r)
		s.agreementRoutes(r)
		s.calendarRoutes(r)
		s.sourceRoutes(r)
		s.accessRoutes(r)
		s.erasureRoutes(r)
		s.holdRoutes(r)
		s.matrixRoutes(r)
		s.cellRoutes(r)
		s.attributionRoutes(r)
		s.cellLineRoutes(r)
		s.overviewRoutes(r)
		s.searchRoutes(r)
		site.NotFound(s.handle("", s.notFound))
	})
	return mux
}

// on registers h for method and pattern; only roles that may do action reach it.
func (r router) on(method, pattern string, action access.Action, h handler) {
	r.server.routes = append(r.server.routes, route{method, pattern, action})
	r.Method(method, pattern, r.server.handle(action, h))
}

func (r router) get(pattern string, action access.Action, h handler) {
	r.on(http.MethodGet, pattern, action, h)
}

func (r router) post(pattern string, action access.Action, h handler) {
	r.on(http.MethodPost, pattern, action, h)
}

// handle adapts a handler that returns an error, behind the check of the actor's role.
func (s *Server) handle(action access.Action, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := authorize(r, action)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}
