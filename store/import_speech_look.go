package store

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/formats"
	"fiducial/internal/speech"
)

// look reads what is there about the recordings and items of the batch. It holds the recordings, so that none becomes ready between
// looking at it and adding items to it, and after them the tasks that truth may close.
func (b *speechBatch) look(ctx context.Context) error {
	b.recordings, b.byID = map[string]*knownRecording{}, map[int64]*knownRecording{}
	b.items, b.itemsByID = map[string]*knownUtterance{}, map[int64]*knownUtterance{}
	var keys, paths [][]byte
	for i := range b.utterances {
		for _, key := range b.utterances[i].Keys {
			keys = append(keys, keyHash(b.run.secret, key))
		}
		if b.utterances[i].Sound != "" {
			paths = append(paths, keyHash(b.run.secret, b.utterances[i].Sound))
		}
	}
	for i := range b.sounds {
		hash := keyHash(b.run.secret, b.sounds[i].Name)
		keys, paths = append(keys, hash), append(paths, hash)
	}
	if err := b.lookAtRecordings(ctx, `r.key_hash = ANY($2) OR r.id IN (SELECT i.recording_id FROM items i WHERE i.project_id = $1 AND i.key_hash = ANY($3))`,
		paths, keys); err != nil {
		return err
	}
	var err error
	if b.redacted, err = redactionsOf(ctx, b.tx, b.run.ProjectID, keys); err != nil {
		return err
	}
	if !b.run.Options.AllowErased {
		if b.tombs, err = tombsOf(ctx, b.tx, b.run.ProjectID, keys); err != nil {
			return err
		}
	}
	return b.lookForTwins(ctx)
}

// lookAtRecordings reads the recordings of the project that meet the condition, with their items.
func (b *speechBatch) lookAtRecordings(ctx context.Context, where string, args ...any) error {
	rows, err := b.tx.Query(ctx, `
		SELECT r.id FROM recordings r WHERE r.project_id = $1 AND (`+where+`) ORDER BY r.id FOR SHARE`, append([]any{b.run.ProjectID}, args...)...)
	if err != nil {
		return fmt.Errorf("look up recordings: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(ids) == 0 {
		return err
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err = b.tx.Query(ctx, `
		SELECT r.id, r.key_hash, r.state, r.fault, a.sha256, coalesce(r.rate, 0), coalesce(r.channels, 0), coalesce(r.frames, 0),
			coalesce((SELECT x.file_name FROM items i JOIN item_texts x ON x.item_id = i.id WHERE i.recording_id = r.id LIMIT 1), '')
		FROM recordings r LEFT JOIN recording_assets a ON a.recording_id = r.id AND a.kind = 'original' WHERE r.id = ANY($1)`, ids)
	if err != nil {
		return fmt.Errorf("look up recordings: %w", err)
	}
	var k knownRecording
	_, err = pgx.ForEachRow(rows, []any{
		&k.ID, &k.hash, &k.State, &k.Fault, &k.SHA256, &k.Rate, &k.Channels, &k.Frames, &k.Path,
	}, func() error {
		recording := k
		b.recordings[string(k.hash)], b.byID[k.ID] = &recording, &recording
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up recordings: %w", err)
	}
	rows, err = b.tx.Query(ctx, `SELECT recording_id AS recording, channel, begins, ends FROM recording_silences WHERE recording_id = ANY($1)`, ids)
	if err != nil {
		return fmt.Errorf("look up silences: %w", err)
	}
	silences, err := pgx.CollectRows(rows, pgx.RowToStructByName[silence])
	if err != nil {
		return fmt.Errorf("look up silences: %w", err)
	}
	for _, s := range silences {
		b.byID[s.Recording].silences = append(b.byID[s.Recording].silences, s)
	}
	return b.lookAtItems(ctx, ids)
}

// lookAtItems reads the items of recordings, and locks the tasks that truth may close.
func (b *speechBatch) lookAtItems(ctx context.Context, recordings []int64) error {
	if b.run.Purpose == PurposeTruth {
		_, err := b.tx.Exec(ctx, `
			SELECT FROM tasks t WHERE t.item_id IN (SELECT id FROM items WHERE recording_id = ANY($1)) ORDER BY t.id FOR NO KEY UPDATE`, recordings)
		if err != nil {
			return fmt.Errorf("lock tasks: %w", err)
		}
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, `
		SELECT i.key_hash, i.id, i.recording_id, i.channel, i.begins, i.ends, coalesce(t.id, 0), t.import_id IS NOT NULL,
			coalesce(k.state = 'discarded', false),
			coalesce(k.state = 'in_review' OR k.live > 0 OR k.votes > 0 OR EXISTS (SELECT FROM assignments x WHERE x.task_id = k.id), false),
			coalesce(p.id, 0)
		FROM items i LEFT JOIN truths t ON t.item_id = i.id AND t.current
			LEFT JOIN tasks k ON k.item_id = i.id
			LEFT JOIN predictions p ON p.item_id = i.id AND p.purpose = $2 AND coalesce(p.model_version_id, 0) = $3
		WHERE i.recording_id = ANY($1) ORDER BY i.id`, recordings, b.run.Purpose, b.run.modelVersion)
	if err != nil {
		return fmt.Errorf("look up items: %w", err)
	}
	var hash []byte
	var k knownUtterance
	_, err = pgx.ForEachRow(rows, []any{
		&hash, &k.Item, &k.Recording, &k.Channel, &k.Begins, &k.Ends, &k.Truth, &k.TruthImported, &k.Discarded, &k.Touched, &k.Prediction,
	}, func() error {
		item := k
		b.items[string(hash)], b.itemsByID[item.Item] = &item, &item
		b.byID[item.Recording].items = append(b.byID[item.Recording].items, &item)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up items: %w", err)
	}
	return nil
}

// lookForTwins finds items of the project that have one of the batch's sounds already.
func (b *speechBatch) lookForTwins(ctx context.Context) error {
	b.twins = map[string]int64{}
	var hashes [][]byte
	for i := range b.sounds {
		if media := b.sounds[i].Media; media != nil {
			hashes = append(hashes, media.SHA256)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, `
		SELECT a.sha256, min(i.id) FROM recording_assets a JOIN recordings r ON r.id = a.recording_id JOIN items i ON i.recording_id = r.id
		WHERE a.kind = 'original' AND a.sha256 = ANY($2) AND r.project_id = $1 GROUP BY a.sha256`, b.run.ProjectID, hashes)
	if err != nil {
		return fmt.Errorf("look for the same sound: %w", err)
	}
	var hash []byte
	var item int64
	_, err = pgx.ForEachRow(rows, []any{&hash, &item}, func() error {
		b.twins[string(hash)] = item
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for the same sound: %w", err)
	}
	return nil
}

// soundNames finds the recordings of a project, or its items, by names that are not quite theirs.
type soundNames struct {
	media *formats.Media
	ids   map[string]int64 // of the recording
	items map[string]int64
}

// soundNames indexes the recordings by their paths, or the items by their keys and, where they are alone in them, by the paths of
// their recordings too, at the first need: it takes a look at all of
// them. What this import has added is left out, so that an import that is taken up again finds what it found at first.
func (b *speechBatch) soundNames(ctx context.Context, ofItems bool) (*soundNames, error) {
	index := &b.run.soundPaths
	if ofItems {
		index = &b.run.soundKeys
	}
	if *index != nil {
		return *index, nil
	}
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := b.tx.Query(ctx, `
		SELECT i.id, i.recording_id, t.external_key, t.file_name, count(*) OVER (PARTITION BY i.recording_id) = 1
		FROM items i JOIN item_texts t ON t.item_id = i.id WHERE i.project_id = $1 AND i.recording_id IS NOT NULL
		  AND NOT EXISTS (SELECT FROM import_results r WHERE r.item_id = i.id AND r.import_id = $2 AND r.outcome = 'added')`,
		b.run.ProjectID, b.run.ID)
	if err != nil {
		return nil, fmt.Errorf("names of recordings: %w", err)
	}
	names := &soundNames{ids: map[string]int64{}, items: map[string]int64{}}
	var item, recording int64
	var key, file string
	var alone bool
	_, err = pgx.ForEachRow(rows, []any{&item, &recording, &key, &file, &alone}, func() error {
		if ofItems {
			names.ids[key], names.items[key] = recording, item
		}
		if _, known := names.ids[file]; !known && (alone || !ofItems) {
			names.ids[file], names.items[file] = recording, item
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("names of recordings: %w", err)
	}
	names.media = formats.NewMedia(slices.Sorted(maps.Keys(names.ids)))
	*index = names
	return names, nil
}

// alike finds the recording, and the item if names are those of items, that a name means which is not quite theirs.
func (b *speechBatch) alike(ctx context.Context, ofItems bool, find func(*formats.Media) (string, error)) (*knownRecording, *knownUtterance, error) {
	names, err := b.soundNames(ctx, ofItems)
	if err != nil {
		return nil, nil, err
	}
	name, err := find(names.media)
	if err != nil {
		return nil, nil, nil //nolint:nilerr // there is none of that name, or more than one
	}
	id := names.ids[name]
	if b.byID[id] == nil {
		if err := b.lookAtRecordings(ctx, `r.id = $2`, id); err != nil {
			return nil, nil, err
		}
	}
	if !ofItems {
		return b.byID[id], nil, nil
	}
	return b.byID[id], b.itemsByID[names.items[name]], nil
}

// sameTranscript tells whether the item has exactly this imported truth.
func (b *speechBatch) sameTranscript(ctx context.Context, item *knownUtterance, t speech.Transcript) (bool, error) {
	if item == nil || item.Truth == 0 {
		return false, nil
	}
	there, err := transcriptOf(ctx, b.tx, item.Item, truthTranscript, item.Truth)
	return err == nil && there != nil && slices.Equal(there, t), err
}

// sameHypothesis tells whether the item has exactly this hypothesis of the import's model version.
func (b *speechBatch) sameHypothesis(ctx context.Context, item *knownUtterance, h *ImportHypothesis) (bool, error) {
	if item == nil || item.Prediction == 0 {
		return false, nil
	}
	there := ImportHypothesis{}
	var confidence *float32
	err := b.tx.QueryRow(ctx, `
		SELECT h.text, p.confidence, h.words FROM predictions p JOIN hypotheses h ON h.item_id = p.item_id AND h.prediction_id = p.id
		WHERE p.id = $1 AND p.item_id = $2`, item.Prediction, item.Item).Scan(&there.Text, &confidence, &there.Words)
	if err != nil {
		return false, fmt.Errorf("hypothesis of item %d: %w", item.Item, notFound(err))
	}
	sure := (confidence == nil) == (h.Confidence == nil) && (confidence == nil || *confidence == float32(*h.Confidence))
	return sure && there.Text == h.Text && len(there.Words) == len(h.Words) && (len(h.Words) == 0 || reflect.DeepEqual(there.Words, h.Words)), nil
}
