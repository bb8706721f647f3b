package handlers

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

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
