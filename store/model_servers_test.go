package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/sealed"
	"fiducial/store"
)

func released(t *testing.T, st *store.Store, name, kind, version string) int64 {
	t.Helper()
	if _, err := st.AddModel(t.Context(), store.System(), name, kind); err != nil {
		t.Fatal(err)
	}
	id, err := st.ReleaseModel(t.Context(), store.System(), name, version)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func settings(adapter models.Adapter, url string) models.Settings {
	s := models.Defaults()
	s.Adapter, s.URL = adapter, url
	return s
}

func TestServerOfAModelVersion(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 1)
	id := released(t, st, "mood", "nlp", "3")
	server, err := st.ModelServer(t.Context(), store.System(), "mood", "3")
	if err != nil || server.Adapter != models.Offline || server.Revision != 0 || len(server.Configuration) != sha256.Size || server.Name() != "mood@3" {
		t.Fatalf("before anything is said: %+v, %v", server, err)
	}
	edit := store.ModelServerEdit{Settings: settings(models.JSON, "https://mood.example.org/ask")}
	edit.Options = models.Options{Task: models.TaskLabels, Labels: map[string]string{"pos": "Positive"}}
	edit.Timeout, edit.Rate = 1500*time.Millisecond, 2.5
	secret := "s3cr3t"
	edit.Credential = &secret
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit); err == nil {
		t.Error("a credential is kept without a key to seal it under")
	}
	keyed(t, st, "k")
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit); err != nil {
		t.Fatal(err)
	}
	first, err := st.ModelServerFor(t.Context(), id)
	if err != nil || first.Credential != secret || first.Timeout != edit.Timeout || first.Rate != 2.5 || first.Options.Labels["pos"] != "Positive" || first.Task() != "labels" {
		t.Fatalf("%+v, %v", first, err)
	}
	edit.Credential, edit.URL, edit.Revision = nil, "https://mood2.example.org/ask", first.Revision
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit); err != nil {
		t.Fatal(err)
	}
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second of two who saw the same: %v", err)
	}
	moved, err := st.ModelServerFor(t.Context(), id)
	if err != nil || moved.Credential != secret || !bytes.Equal(moved.Configuration, first.Configuration) {
		t.Errorf("at another address: %+v, %v", moved, err)
	}
	edit.Revision, edit.Options.Labels = 0, map[string]string{"pos": "Glad"}
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit); err != nil {
		t.Fatal(err)
	}
	if other, err := st.ModelServerFor(t.Context(), id); err != nil || bytes.Equal(other.Configuration, first.Configuration) {
		t.Errorf("with other labels the configuration is the same: %v", err)
	}
	keyed(t, st, "other")
	if _, err := st.ModelServerFor(t.Context(), id); !errors.Is(err, sealed.ErrSealed) {
		t.Errorf("under another key: %v", err)
	}
}

func TestServersThatAreRefused(t *testing.T) {
	t.Parallel()
	st, _ := stocked(t, 1)
	released(t, st, "mood", "nlp", "3")
	for field, change := range map[string]func(*models.Settings){
		"adapter": func(s *models.Settings) { s.Adapter = models.OpenAI },
		"url":     func(s *models.Settings) { s.URL = "https://name:secret@mood.example.org" },
		"timeout": func(s *models.Settings) { s.Timeout = 2 * time.Hour },
		"task":    func(s *models.Settings) { s.Options.Task = "guess" },
		"command": func(s *models.Settings) {
			s.URL, s.Launcher, s.Launch.Command = "", models.ByCommand, []string{"/bin/sh", "-c", "true"}
		},
		"launcher": func(s *models.Settings) { s.Launch.Command = []string{"serve"} },
	} {
		edit := store.ModelServerEdit{Settings: settings(models.JSON, "https://mood.example.org")}
		change(&edit.Settings)
		err := st.SetModelServer(t.Context(), store.System(), "mood", "3", edit)
		if inv, ok := errors.AsType[*store.InvalidError](err); !ok || inv.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	edit := store.ModelServerEdit{Settings: settings(models.JSON, "https://mood.example.org")}
	reviewer := store.Actor{PersonID: 1, Role: access.Reviewer}
	if err := st.SetModelServer(t.Context(), reviewer, "mood", "3", edit); !errors.Is(err, store.ErrDenied) {
		t.Errorf("a reviewer: %v", err)
	}
	if err := st.SetModelServer(t.Context(), store.System(), "mood", "4", edit); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a version that is not there: %v", err)
	}
}

// A model is given nothing of an item whose source does not let it have that, and the very bytes that a freeze has hashed of the others.
func TestWhatAModelIsGiven(t *testing.T) {
	t.Parallel()
	s := newSpoken(t, 1, 2)
	id := released(t, s.st, "ear", "asr", "1")
	inputs, err := s.st.ModelInputs(t.Context(), id, s.Items)
	if err != nil || len(inputs) != 2 {
		t.Fatalf("%+v, %v", inputs, err)
	}
	for _, in := range inputs {
		if !in.Sound || !in.Ready || !in.Allowed || in.ContentType != "audio/wav" || !(in.Seconds > 0) {
			t.Fatalf("%+v", in)
		}
		file, err := s.st.OpenModelInput(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		if _, err := io.Copy(digest, file); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(digest.Sum(nil), in.Hash) {
			t.Errorf("item %d: other bytes than its hash says", in.Item)
		}
	}
	exec(t, s.pool, `UPDATE sources SET open_to = '{}'`)
	allowed := func(want bool) {
		t.Helper()
		inputs, err := s.st.ModelInputs(t.Context(), id, s.Items[:1])
		if err != nil || len(inputs) != 1 || inputs[0].Allowed != want {
			t.Fatalf("want %v: %+v, %v", want, inputs, err)
		}
		file, err := s.st.OpenModelInput(t.Context(), inputs[0])
		if want != (err == nil) || !want && !errors.Is(err, store.ErrDenied) {
			t.Errorf("want %v: %v", want, err)
		}
		if file != nil {
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	allowed(false)
	exec(t, s.pool, `INSERT INTO source_destinations (source_id, kind, name) SELECT id, 'models', 'other' FROM sources`)
	allowed(false)
	exec(t, s.pool, `INSERT INTO source_destinations (source_id, kind, name) SELECT id, 'models', 'ear' FROM sources`)
	allowed(true)
}
