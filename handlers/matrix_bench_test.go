package handlers_test

import (
	"net/http"
	"testing"

	"fiducial/internal/access"
)

// BenchmarkMatrix opens the matrix of 20 recognizers in front of 20 language models on 10 dataset versions, all of them on one page, as a person
// and as a file.
func BenchmarkMatrix(b *testing.B) {
	s := newMatrixSite(b, 20, 20, 10)
	viewer := s.browser(access.Admin)
	for name, path := range map[string]string{"page": "/matrix/1?versions=all", "csv": "/matrix/1/cells.csv", "newest": "/matrix/1", "overview": "/overview/1"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				viewer.get(path).want(http.StatusOK)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), name+"-ms")
		})
	}
}
