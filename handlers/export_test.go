package handlers

import "fiducial/internal/access"

// Route is one entry of the site with the action that opens it, empty if it is open to everybody.
type Route struct {
	Method, Pattern string
	Action          access.Action
}

// RegisteredRoutes lists what was registered under an action since Routes was called.
func (s *Server) RegisteredRoutes() []Route {
	var routes []Route
	for _, r := range s.routes {
		routes = append(routes, Route(r))
	}
	return routes
}
