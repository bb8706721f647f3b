package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// Trial is a question to a model version that somebody asks by hand, to see whether its server is set up well.
type Trial struct {
	Server ModelServer // with its credential
	Input  ModelInput  // zero for a text that was typed
	Text   string      // of a model that is given text: what was typed, or the truth's transcript of the item
}

// TrialAsk is what somebody asks: an item, or a text for a model that is given text.
type TrialAsk struct {
	Item int64
	Text string
}

// longestTrial is how long a text may be that is typed.
const longestTrial = 20_000

// TryModel returns what a question by hand needs, and notes that the actor has given the item to the model. Nothing is returned of an item
// whose source does not let the model have it.
func (s *Store) TryModel(ctx context.Context, actor Actor, model, version string, ask TrialAsk) (Trial, error) {
	if err := actor.may(access.RegisterModels); err != nil {
		return Trial{}, err
	}
	known, err := s.ModelServer(ctx, actor, model, version)
	if err != nil {
		return Trial{}, err
	}
	var trial Trial
	if trial.Server, err = s.ModelServerFor(ctx, known.VersionID); err != nil {
		return Trial{}, err
	}
	reads := known.Kind == "formatting" || known.Kind == "nlp"
	switch {
	case len(ask.Text) > longestTrial:
		return Trial{}, invalid("text", "Keep the text under 20,000 letters.")
	case ask.Item == 0 && (ask.Text == "" || !reads):
		return Trial{}, invalid("item", "Give the number of an item, as its page shows it.")
	case ask.Item == 0:
		trial.Text = ask.Text
		return trial, nil
	}
	if err := s.trialItem(ctx, actor, &trial, ask.Item); err != nil {
		return Trial{}, err
	}
	if reads {
		trial.Text, err = s.truthText(ctx, ask.Item)
	}
	return trial, err
}

// trialItem adds the item, which the actor must be able to see.
func (s *Store) trialItem(ctx context.Context, actor Actor, trial *Trial, item int64) error {
	if err := actor.may(access.ReadItems); err != nil {
		return err
	}
	var seen bool
	err := s.pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM items i JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL WHERE i.id = @item AND `+sees+`)`,
		actor.args(pgx.NamedArgs{"item": item})).Scan(&seen)
	if err != nil {
		return fmt.Errorf("item to try a model with: %w", err)
	}
	inputs, err := s.ModelInputs(ctx, trial.Server.VersionID, []int64{item})
	switch {
	case err != nil:
		return err
	case !seen || len(inputs) == 0:
		return invalid("item", "There is no item "+strconv.FormatInt(item, 10)+". Give the number that an item's page shows.")
	case !inputs[0].Allowed:
		return invalid("item", "The source of this item does not let the model "+trial.Server.Model+" have its data. Choose another item, or change that on the source's page.")
	case inputs[0].Sound != (trial.Server.Kind != "detector"):
		return invalid("item", "A model of this kind is given "+map[bool]string{true: "sound", false: "images"}[trial.Server.Kind != "detector"]+": choose an item that is one.")
	case !inputs[0].Ready:
		return invalid("item", "The sound or image of this item is not ready. Choose another item.")
	}
	trial.Input = inputs[0]
	return s.inTx(ctx, func(tx pgx.Tx) error {
		return audit(ctx, tx, actor, auditEvent{Action: "model.try", ObjectType: "model_version", ObjectID: trial.Server.VersionID, Detail: map[string]any{"item": item}})
	})
}

// truthText is the text of an item's truth, which is what a model that reads is given of it.
func (s *Store) truthText(ctx context.Context, item int64) (string, error) {
	var transcript speech.Transcript
	err := s.pool.QueryRow(ctx, `
		SELECT x.segments FROM truths t JOIN transcripts x ON x.item_id = t.item_id AND x.kind = $2 AND x.of_id = t.id
		WHERE t.item_id = $1 AND t.current`, item, truthTranscript).Scan(&transcript)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", invalid("item", "This item has no transcript yet. Choose one that is decided, or type a text.")
	}
	if err != nil {
		return "", fmt.Errorf("transcript of item %d: %w", item, err)
	}
	return transcript.Text(), nil
}
