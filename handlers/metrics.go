package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fiducial/internal/access"
)

// metricsRoutes serve the figures of this process to Prometheus, under an API token of the role
// viewer or above that is bound to no project: they tell how much is done here. Its configuration:
//
//	scrape_configs:
//	  - job_name: fiducial
//	    authorization: {credentials_file: /etc/prometheus/fiducial-token}
//	    static_configs: [{targets: ["127.0.0.1:8080"]}]
func (s *Server) metricsRoutes(r router) {
	figures := promhttp.Handler()
	r.get(metricsPath, access.ReadMetrics, func(w http.ResponseWriter, r *http.Request) error {
		figures.ServeHTTP(w, r)
		return nil
	})
}

const metricsPath = "/metrics"

var requestSeconds = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "fiducial_http_request_seconds",
	Help:    "Time to answer, by route and status.",
	Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
}, []string{"method", "route", "status"})

func observeRequest(method, pattern string, status int, took time.Duration) {
	if pattern == "" {
		pattern = "none" // an unknown path must not become a label of its own
	}
	requestSeconds.WithLabelValues(method, pattern, strconv.Itoa(status)).Observe(took.Seconds())
}
