package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// publish writes a build's files, the icons and the manifest, each text file
// with its gzip form beside it, and prints what each weighs.
func publish(result *api.BuildResult) error {
	manifest, err := readManifest(result.Metafile)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, file := range result.OutputFiles {
		files[filepath.Base(file.Path)] = file.Contents
	}
	sprite, err := iconSprite()
	if err != nil {
		return err
	}
	mark, err := os.ReadFile("assets/mark.svg")
	if err != nil {
		return fmt.Errorf("favicon: %w", err)
	}
	for name, contents := range map[string][]byte{"icons": sprite, "mark": mark} {
		sum := sha256.Sum256(contents)
		manifest[name+".svg"] = fmt.Sprintf("%s-%x.svg", name, sum[:4])
		files[manifest[name+".svg"]] = contents
	}
	index, err := json.MarshalIndent(manifest, "", " ")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	files["manifest.json"] = index

	if err := emptyDist(); err != nil {
		return err
	}
	for name, contents := range files {
		if err := writeFile(name, contents); err != nil {
			return err
		}
	}
	return nil
}

// readManifest maps what pages ask for to the hashed file: "boxes.ts" for an
// entry's script, "boxes.css" for the style sheet that the script imports,
// "index.css", and each font by its own name. Chunks made by splitting bear an
// entry point too when they are imported dynamically; only index files count.
func readManifest(metafile string) (map[string]string, error) {
	var meta struct {
		Outputs map[string]struct {
			EntryPoint string              `json:"entryPoint"`
			CSSBundle  string              `json:"cssBundle"`
			Inputs     map[string]struct{} `json:"inputs"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, fmt.Errorf("metafile: %w", err)
	}
	manifest := map[string]string{}
	for path, output := range meta.Outputs {
		name := filepath.Base(path)
		folder := filepath.Base(filepath.Dir(output.EntryPoint))
		switch {
		case output.EntryPoint == "assets/css/index.css":
			manifest["index.css"] = name
		case strings.HasPrefix(output.EntryPoint, "assets/src/") && filepath.Base(output.EntryPoint) == "index.ts":
			manifest[folder+".ts"] = name
			if output.CSSBundle != "" {
				manifest[folder+".css"] = filepath.Base(output.CSSBundle)
			}
		case filepath.Ext(name) == ".woff2":
			for input := range output.Inputs {
				manifest[filepath.Base(input)] = name
			}
		}
	}
	return manifest, nil
}

var svgElement = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)

// iconSprite joins the Lucide icons named in assets/icons.txt into one file of
// symbols, so that <use href="icons.svg#inbox"> draws one.
func iconSprite() ([]byte, error) {
	names, err := os.ReadFile("assets/icons.txt")
	if err != nil {
		return nil, fmt.Errorf("icons: %w", err)
	}
	var sprite bytes.Buffer
	sprite.WriteString(`<svg xmlns="http://www.w3.org/2000/svg"><!-- Lucide, ISC licence, https://lucide.dev/license -->`)
	for name := range strings.FieldsSeq(string(names)) {
		source, err := os.ReadFile(filepath.Join("node_modules/lucide-static/icons", filepath.Base(name)+".svg"))
		if err != nil {
			return nil, fmt.Errorf("icon %q is not in lucide-static: %w", name, err)
		}
		drawing := svgElement.FindSubmatch(source)
		if drawing == nil {
			return nil, fmt.Errorf("icon %q holds no <svg>", name)
		}
		fmt.Fprintf(&sprite, `<symbol id="%s" viewBox="0 0 24 24">%s</symbol>`, name, bytes.Join(bytes.Fields(drawing[1]), []byte(" ")))
	}
	sprite.WriteString("</svg>\n")
	return sprite.Bytes(), nil
}

func emptyDist() error {
	old, err := filepath.Glob(filepath.Join(dist, "[^.]*"))
	if err != nil {
		return fmt.Errorf("list %s: %w", dist, err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("empty %s: %w", dist, err)
		}
	}
	return nil
}

var compressed = []string{".js", ".css", ".svg"}

func writeFile(name string, contents []byte) error {
	if err := os.WriteFile(filepath.Join(dist, name), contents, 0o644); err != nil { //nolint:gosec // built files are public
		return fmt.Errorf("write: %w", err)
	}
	if !slices.Contains(compressed, filepath.Ext(name)) {
		return nil
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if _, err := w.Write(contents); err != nil {
		return fmt.Errorf("gzip %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("gzip %s: %w", name, err)
	}
	if _, err := fmt.Fprintf(os.Stdout, "%-28s %7d bytes %7d gzip\n", name, len(contents), packed.Len()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dist, name+".gz"), packed.Bytes(), 0o644); err != nil { //nolint:gosec // built files are public
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
