package modelserver

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"fiducial/internal/models"
	"fiducial/store"
)

// itemError is that the item's own bytes cannot be read while they are sent.
type itemError struct{ err error }

func (e *itemError) Error() string { return "the item cannot be read" }

// Unwrap makes the cause findable.
func (e *itemError) Unwrap() error { return e.err }

func (e *itemError) fault() error {
	if errors.Is(e.err, store.ErrDenied) {
		return &Fault{Code: models.FaultSource}
	}
	if store.Away(e.err) {
		return e.err
	}
	return &Fault{Code: models.FaultItem}
}

// itemReader marks what goes wrong with the item's own bytes.
type itemReader struct{ io.Reader }

func (r itemReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &itemError{err}
	}
	return n, err
}

// media opens what a model of a kind is given: sound for a recognizer, an image for a detector.
func (in Input) media(ctx context.Context, kind string) (content io.ReadCloser, contentType string, err error) {
	open := in.Sound
	contentType = "audio/wav"
	if kind == "detector" {
		open, contentType = in.Image, in.ContentType
	}
	if open == nil {
		return nil, "", &Fault{Code: models.FaultItem, Detail: "there is nothing that a model of this kind is given"}
	}
	content, err = open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		return nil, "", (&itemError{err}).fault()
	}
	return content, contentType, nil
}

// bytes reads the media as a whole.
func (in Input) bytes(ctx context.Context, kind string) (content []byte, contentType string, err error) {
	file, contentType, err := in.media(ctx, kind)
	if err != nil {
		return nil, "", err
	}
	content, err = io.ReadAll(io.LimitReader(file, mediaLimit+1))
	if err = errors.Join(err, file.Close()); err != nil {
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		return nil, "", (&itemError{err}).fault()
	}
	if len(content) > mediaLimit {
		return nil, "", &Fault{Code: models.FaultItem, Detail: "it is too large to be sent"}
	}
	return content, contentType, nil
}

// dataURL is the media in an address of its own: no server needs a token of ours to read it.
func (in Input) dataURL(ctx context.Context, kind string) (string, error) {
	content, contentType, err := in.bytes(ctx, kind)
	if err != nil {
		return "", err
	}
	var address strings.Builder
	address.Grow(len(contentType) + 13 + base64.StdEncoding.EncodedLen(len(content)))
	address.WriteString("data:" + contentType + ";base64,")
	encoder := base64.NewEncoder(base64.StdEncoding, &address)
	if _, err := encoder.Write(content); err != nil {
		return "", &Fault{Code: models.FaultItem}
	}
	if err := encoder.Close(); err != nil {
		return "", &Fault{Code: models.FaultItem}
	}
	return address.String(), nil
}

// readsText reports whether a model of a kind is given text.
func readsText(kind string) bool { return kind == "formatting" || kind == "nlp" }
