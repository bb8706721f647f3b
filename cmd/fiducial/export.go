package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

type exportCommand struct {
	clientFlags `embed:""`

	Name           string `arg:"" help:"Dataset and version: NAME@N."`
	Format         string `help:"coco, voc, yolo, yolo-obb (oriented boxes), cvat, labelstudio, parquet or huggingface (for load_dataset; with --media the images are in its files); of speech: nemo, ctm, stm, vtt, srt, textgrid, parquet or huggingface." enum:"coco,voc,yolo,yolo-obb,cvat,labelstudio,parquet,huggingface,nemo,ctm,stm,vtt,srt,textgrid" required:""`
	Media          bool   `help:"With the images, or the sound cut to each utterance."`
	Personal       string `help:"What becomes of personal data in speech: mask (by kind), token (the same for the same) or keep, which needs --personal-reason." enum:"mask,token,keep" default:"mask"`
	Decided        bool   `help:"Leave personal data that nobody has decided yet as they stand; else they are treated as confirmed."`
	PersonalReason string `help:"Why personal data are kept."`
	Out            string `help:"Where the archive goes." required:"" type:"path" placeholder:"FILE.zip"`
}

// exportAnswer is an export as the server tells it.
type exportAnswer struct {
	ID        int64  `json:"id"`
	Dataset   string `json:"dataset"`
	Number    int    `json:"number"`
	Format    string `json:"format"`
	Media     bool   `json:"media"`
	State     string `json:"state"`
	Error     string `json:"error,omitempty"`
	DoneItems int    `json:"done_items"`
	Items     int    `json:"items"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	Losses    int    `json:"losses"`
}

func (c *exportCommand) Run(ctx context.Context, std *streams) error {
	path, err := versionPath(c.Name)
	if err != nil {
		return err
	}
	if folder, err := os.Stat(filepath.Dir(c.Out)); err != nil || !folder.IsDir() {
		return misuseError("there is no folder " + filepath.Dir(c.Out) + ": make it, or write the archive into another")
	}
	server, err := c.connect()
	if err != nil {
		return err
	}
	var made idAnswer
	if err := server.post(ctx, path+"/exports", c.ask(), &made); err != nil {
		return err
	}
	path = fmt.Sprintf("/exports/%d", made.ID)
	var answer exportAnswer
	bar := newProgressBar(std.err)
	err = await(ctx, server, path, &answer, func() bool {
		bar.show("Exporting", int64(answer.DoneItems), int64(answer.Items), "items")
		return answer.State != "queued" && answer.State != "running"
	})
	if err == nil && answer.State == "done" {
		err = server.download(ctx, path+"/archive", c.Out, archiveAnswer{answer.Bytes, answer.SHA256}, bar)
	}
	bar.end()
	if err != nil {
		return err
	}
	if answer.State != "done" {
		return fmt.Errorf("the export is %s: %s", answer.State, answer.Error)
	}
	text := fmt.Sprintf("%s  %s", answer.SHA256, c.Out)
	if answer.Losses > 0 {
		text += fmt.Sprintf("\n%d losses: report.json in the archive names them", answer.Losses)
	}
	return c.printAnswer(std, answer, text)
}

// ask is what the server is asked for.
func (c *exportCommand) ask() map[string]any {
	return map[string]any{"format": c.Format, "media": c.Media, "personal": c.Personal, "decided": c.Decided, "personal_reason": c.PersonalReason}
}

// archiveAnswer is what the server says of an archive's bytes.
type archiveAnswer struct {
	Bytes  int64
	SHA256 string
}

// download writes an archive beside its place out and moves it there once its checksum was found right.
func (c *client) download(ctx context.Context, path, out string, answer archiveAnswer, bar *progressBar) (err error) {
	part := out + ".part"
	file, err := os.Create(part) //nolint:gosec // where the archive goes is for whoever runs this to say
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	digest := sha256.New()
	err = c.send(ctx, http.MethodGet, path, http.Header{}, nil, func(body io.Reader) error {
		_, err := io.Copy(io.MultiWriter(file, digest), &countedReader{reader: body, total: answer.Bytes, bar: bar})
		return err
	})
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if sum := fmt.Sprintf("%x", digest.Sum(nil)); sum != answer.SHA256 {
		return fmt.Errorf("what arrived has sha256 %s, the server's archive %s: try again", sum, answer.SHA256)
	}
	return os.Rename(part, out)
}

// countedReader shows how much was read.
type countedReader struct {
	reader      io.Reader
	done, total int64
	bar         *progressBar
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.reader.Read(p)
	r.done += int64(n)
	r.bar.show("Download", r.done, r.total, "bytes")
	return n, err
}
