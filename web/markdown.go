package web

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/a-h/templ"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
)

var (
	markdown       = goldmark.New()
	markdownPolicy = proseOnly()
)

// proseOnly allows text, lists, tables and links. A definition's pictures are its example crops; an
// image in the text could only point elsewhere.
func proseOnly() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowStandardURLs()
	p.AllowAttrs("href").OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.AllowElements("p", "br", "hr", "em", "strong", "code", "pre", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "h4",
		"table", "thead", "tbody", "tr", "th", "td")
	return p
}

// Markdown shows text that a person wrote in CommonMark, cleaned of everything that could run or load.
func Markdown(text string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var html bytes.Buffer
		if err := markdown.Convert([]byte(text), &html); err != nil {
			return fmt.Errorf("markdown: %w", err)
		}
		_, err := w.Write(markdownPolicy.SanitizeBytes(html.Bytes()))
		return err
	})
}
