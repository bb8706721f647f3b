package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/jobargs"
	"fiducial/internal/speech"
)

// SoundSettings are how the utterances of a project are heard, compared and written down.
type SoundSettings struct {
	// Normalizer is the name of that by which transcripts are compared; "" is speech.DefaultNormalizer.
	Normalizer string
	// ContextSeconds is how much of what comes before and after an utterance can be heard.
	ContextSeconds float64
	// PrefillMode is what a labeler gets to see of a hypothesis where no plan says: blind, edit or reveal.
	PrefillMode string
}

const soundSettingColumns = `p.normalizer, p.context_seconds, p.prefill_mode`

// contextMost is the longest context, in seconds.
const contextMost = 60

func (s *SoundSettings) check() error {
	_, known := speech.NormalizerOf(s.Normalizer)
	switch {
	case s.Normalizer != "" && !known:
		return invalid("normalizer", fmt.Sprintf("Choose one of the normalizers: %s.", strings.Join(speech.NormalizerNames(), ", ")))
	case !(s.ContextSeconds >= 0 && s.ContextSeconds <= contextMost):
		return invalid("context_seconds", fmt.Sprintf("Choose between 0 and %d seconds around an utterance.", contextMost))
	case !slices.Contains([]string{"blind", "edit", "reveal"}, s.PrefillMode):
		return invalid("prefill_mode", "Choose blind, edit or reveal.")
	}
	return nil
}

// SetSound changes how a project's utterances are heard, compared and written down.
func (s *Store) SetSound(ctx context.Context, actor Actor, project int64, settings SoundSettings) error {
	return s.changeProject(ctx, actor, project, "project.sound", func(tx pgx.Tx, p Project) error {
		if _, err := tx.Exec(ctx, `UPDATE projects SET version = version + 1 WHERE id = $1`, project); err != nil {
			return err
		}
		return s.writeSound(ctx, tx, p, settings)
	})
}

// writeSound stores settings; where transcripts are compared otherwise than before, everything is scored again.
func (s *Store) writeSound(ctx context.Context, tx pgx.Tx, p Project, settings SoundSettings) error {
	if p.Kind != "audio" {
		return invalid("kind", "This is a project of images: it has no sound to set.")
	}
	if err := settings.check(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE projects SET normalizer = $2, context_seconds = $3, prefill_mode = $4 WHERE id = $1`,
		p.ID, settings.Normalizer, settings.ContextSeconds, settings.PrefillMode)
	if err != nil || speech.ProjectNormalizer(settings.Normalizer).Name == speech.ProjectNormalizer(p.Normalizer).Name {
		return err
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.ScoreProject{ProjectID: p.ID}, scoreLater()); err != nil {
		return fmt.Errorf("score project %d: %w", p.ID, err)
	}
	return nil
}
