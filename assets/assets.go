// Package assets serves the built front end: scripts, style sheets, fonts and
// icons under names that bear a hash of their content, out of the binary.
package assets

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Prefix is the path that Handler is mounted on.
const Prefix = "/assets/"

//go:embed all:dist
var embedded embed.FS

// ErrNotBuilt says that the binary holds no front end.
var ErrNotBuilt = errors.New("the front end is not built: run `make build`")

// A file is one built file as it is sent; packed is empty where gzip gains nothing.
type file struct{ kind, plain, packed string }

type bundle struct {
	manifest map[string]string
	files    map[string]file
}

var built = sync.OnceValues(func() (bundle, error) { return read(embedded) })

func read(root fs.FS) (bundle, error) {
	index, err := fs.ReadFile(root, "dist/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return bundle{}, ErrNotBuilt
	}
	if err != nil {
		return bundle{}, err
	}
	b := bundle{files: map[string]file{}}
	if err := json.Unmarshal(index, &b.manifest); err != nil {
		return bundle{}, err
	}
	entries, err := fs.ReadDir(root, "dist")
	if err != nil {
		return bundle{}, err
	}
	contents := map[string]string{}
	for _, entry := range entries {
		content, err := fs.ReadFile(root, path.Join("dist", entry.Name()))
		if err != nil {
			return bundle{}, err
		}
		contents[entry.Name()] = string(content)
	}
	for name, plain := range contents {
		if kind := contentType(name); kind != "" {
			b.files[name] = file{kind: kind, plain: plain, packed: contents[name+".gz"]}
		}
	}
	return b, nil
}

// Check returns ErrNotBuilt when the binary was compiled before the front end
// was built. The server calls it when it starts.
func Check() error {
	_, err := built()
	return err
}

// URL returns the path under which a built file is served: "boxes.ts" for the
// script of assets/src/boxes, "boxes.css" for the style sheet that this script
// imports, "index.css", "icons.svg", or a font by its file name. A file that
// was not built gets a path at which Handler says so.
func URL(name string) string {
	b, _ := built() // without a build the lookup misses, and Handler says why
	if file, ok := b.manifest[name]; ok {
		return Prefix + file
	}
	return Prefix + "unbuilt/" + name
}

// Handler serves everything under Prefix. Names are hashed, so the browser may
// keep each answer for ever.
func Handler() http.Handler {
	b, err := built()
	return handler(b, err)
}

func handler(b bundle, err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.Error(w, "The front end is not built. Run `make build` and start the server again.", http.StatusServiceUnavailable)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, Prefix)
		if missing, ok := strings.CutPrefix(name, "unbuilt/"); ok {
			http.Error(w, missing+" is not among the built files. Run `make build` and start the server again.", http.StatusNotFound)
			return
		}
		b.serve(w, r, name)
	})
}

func (b bundle) serve(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := b.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	content := f.plain
	if f.packed != "" {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			content = f.packed
		}
	}
	http.ServeContent(w, r, name, time.Time{}, strings.NewReader(content))
}

// contentType is empty for a file that is not meant to be fetched.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".map", ".txt":
		return "text/plain; charset=utf-8"
	default:
		return ""
	}
}
