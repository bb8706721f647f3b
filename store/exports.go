package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/internal/speech"
	"fiducial/store/blob"
)

// The states of an export.
const (
	ExportQueued  = "queued"
	ExportRunning = "running"
	ExportDone    = "done"
	ExportFailed  = "failed"
	ExportDeleted = "deleted" // an item of its version was erased
)

// exportFormats lists what a version can be written as, by the kind of its projects.
var exportFormats = map[string][]string{
	"image": {"coco", "voc", "yolo", "yolo-obb", "cvat", "labelstudio", "parquet", "huggingface"},
	"audio": {"nemo", "ctm", "stm", "vtt", "srt", "textgrid", "parquet", "huggingface"},
}

// How an export treats what is personal in transcripts and in sound.
const (
	PersonalMask  = "mask"  // replaced by its kind, such as [name], and silent
	PersonalToken = "token" // replaced by a token that is the same for the same, such as [name-3f2a90c1], and silent
	PersonalKeep  = "keep"  // left as it stands, for a reason
)

// ExportAsk is an export that is asked for. Of images Personal means nothing.
type ExportAsk struct {
	Format   string
	Media    bool
	Personal string // one of the Personal constants; empty for PersonalMask
	// Decided leaves what nobody has confirmed yet as it stands; else it is treated as confirmed.
	Decided bool
	Reason  string // why personal data are kept, in words
}

// Export is an archive of a version, or one on its way.
type Export struct {
	ID         int64
	VersionID  int64
	Format     string
	Media      bool
	Personal   string // as in ExportAsk
	Decided    bool   // as in ExportAsk
	Reason     string // as in ExportAsk
	State      string
	Error      string // why it failed, in a sentence
	DoneItems  int    // of the version's lines
	Bytes      int64
	SHA256     []byte // of the archive; nil until it is done
	Losses     int    // what the archive could not hold as it was
	CreatedBy  string // a name or a pseudonym; empty if no person asked for it
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// Blob is the key of the archive in object storage.
func (e *Export) Blob() string { return fmt.Sprintf("exports/%d", e.ID) }

const exportColumns = `e.id, e.version_id, e.format, e.media, e.personal, NOT e.personal_open AS decided, e.personal_reason AS reason, e.state, e.error, e.done_items, coalesce(e.bytes, 0) AS bytes, e.sha256, e.losses,
	coalesce(pi.name, pe.pseudonym, '') AS created_by, e.created_at, e.finished_at`

func exportsWhere(ctx context.Context, q querier, where string, args ...any) ([]Export, error) {
	rows, err := q.Query(ctx, `SELECT `+exportColumns+` FROM exports e
		LEFT JOIN people pe ON pe.id = e.created_by LEFT JOIN person_identities pi ON pi.person_id = e.created_by WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("exports: %w", err)
	}
	exports, err := pgx.CollectRows(rows, pgx.RowToStructByName[Export])
	if err != nil {
		return nil, fmt.Errorf("exports: %w", err)
	}
	return exports, nil
}

// AddExport has a job write an archive of a frozen version. One that is on its way already is not asked for twice. Whoever keeps
// personal data must be allowed to, and say why.
func (s *Store) AddExport(ctx context.Context, actor Actor, version DatasetVersion, ask ExportAsk) (export Export, err error) {
	if err := actor.may(access.Export); err != nil {
		return Export{}, err
	}
	if version.State != VersionFrozen {
		return Export{}, invalid("", "This version is not frozen, so it cannot be exported yet.")
	}
	if err := ask.complete(actor, version.Kind); err != nil {
		return Export{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock lets only one of two requests at once find nothing on its way.
		if _, err := tx.Exec(ctx, `SELECT FROM dataset_versions WHERE id = $1 FOR UPDATE`, version.ID); err != nil {
			return fmt.Errorf("export of version %d: %w", version.ID, err)
		}
		waiting, err := exportsWhere(ctx, tx, `e.version_id = $1 AND e.format = $2 AND e.media = $3 AND e.personal = $4 AND e.personal_open = $5
			AND e.state IN ('queued', 'running')`, version.ID, ask.Format, ask.Media, ask.Personal, !ask.Decided)
		if err != nil {
			return err
		}
		if len(waiting) > 0 {
			export = waiting[0]
			return nil
		}
		if err := destinationAllowed(ctx, tx, version.ID, Destination{Kind: ToExports}); err != nil {
			return err
		}
		export, err = s.insertExport(ctx, tx, actor, version, ask)
		return err
	})
	return export, err
}

// longestKeepReason is how many characters say why personal data are kept.
const longestKeepReason = 500

// complete checks what is asked for.
func (a *ExportAsk) complete(actor Actor, kind string) error {
	if formats := exportFormats[kind]; !slices.Contains(formats, a.Format) {
		return invalid("format", "Choose one of "+strings.Join(formats, ", ")+" as the format.")
	}
	a.Reason = strings.TrimSpace(a.Reason)
	if kind != "audio" || a.Personal == "" {
		a.Personal = PersonalMask
	}
	switch {
	case !slices.Contains([]string{PersonalMask, PersonalToken, PersonalKeep}, a.Personal):
		return invalid("personal", "Choose what becomes of personal data: mask, token or keep.")
	case a.Personal != PersonalKeep:
		a.Reason = ""
		return nil
	}
	if err := actor.may(access.KeepPersonal); err != nil {
		return invalid("personal", "Only an admin may export personal data as they stand. Choose mask or token.")
	}
	if a.Reason == "" || utf8.RuneCountInString(a.Reason) > longestKeepReason {
		return invalid("personal_reason", fmt.Sprintf("Say in at most %d characters why personal data have to be kept.", longestKeepReason))
	}
	return nil
}

func (s *Store) insertExport(ctx context.Context, tx pgx.Tx, actor Actor, version DatasetVersion, ask ExportAsk) (Export, error) {
	var id int64
	err := tx.QueryRow(ctx, `
		INSERT INTO exports (version_id, format, media, personal, personal_open, personal_reason, created_by, token_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		version.ID, ask.Format, ask.Media, ask.Personal, !ask.Decided, ask.Reason, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return Export{}, fmt.Errorf("export of version %d: %w", version.ID, err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.WriteExport{ExportID: id}, nil); err != nil {
		return Export{}, fmt.Errorf("enqueue export %d: %w", id, err)
	}
	err = audit(ctx, tx, actor, auditEvent{
		Action: "export.add", ObjectType: "export", ObjectID: id,
		Detail: map[string]any{"version": version.ID, "format": ask.Format, "media": ask.Media, "personal": ask.Personal, "decided": ask.Decided},
	})
	if err != nil {
		return Export{}, err
	}
	exports, err := exportsWhere(ctx, tx, `e.id = $1`, id)
	if err != nil {
		return Export{}, err
	}
	return exports[0], nil
}

// Exports returns the newest exports of a version, at most limit. The version came from a method that checked who asks.
func (s *Store) Exports(ctx context.Context, version DatasetVersion, limit int) ([]Export, error) {
	return exportsWhere(ctx, s.pool, `e.version_id = $1 ORDER BY e.id DESC LIMIT $2`, version.ID, limit)
}

// Export returns one export with its version, or ErrNotFound if the actor does not see that.
func (s *Store) Export(ctx context.Context, actor Actor, id int64) (Export, DatasetVersion, error) {
	exports, err := exportsWhere(ctx, s.pool, `e.id = $1`, id)
	if err != nil {
		return Export{}, DatasetVersion{}, err
	}
	if len(exports) == 0 {
		return Export{}, DatasetVersion{}, fmt.Errorf("export %d: %w", id, ErrNotFound)
	}
	version, err := s.versionByID(ctx, actor, exports[0].VersionID)
	if err != nil {
		return Export{}, DatasetVersion{}, err
	}
	return exports[0], version, nil
}

// ExportReport returns the loss report of an export as JSON, nil until it is done.
func (s *Store) ExportReport(ctx context.Context, export Export) (report json.RawMessage, err error) {
	err = s.pool.QueryRow(ctx, `SELECT report FROM exports WHERE id = $1`, export.ID).Scan(&report)
	if err != nil {
		return nil, fmt.Errorf("report of export %d: %w", export.ID, notFound(err))
	}
	return report, nil
}

// Download notes that the actor takes the archive away, which makes them a consumer of its version, and opens it; the caller closes
// it. It returns ErrGone for an archive that was deleted, ErrNotFound for one that is not done, and an InvalidError when a source of
// the version forbids exports by now.
func (s *Store) Download(ctx context.Context, actor Actor, id int64) (export Export, version DatasetVersion, archive *blob.Object, err error) {
	if err := actor.may(access.Export); err != nil {
		return export, version, nil, err
	}
	export, version, err = s.Export(ctx, actor, id)
	switch {
	case err != nil:
		return export, version, nil, err
	case export.State == ExportDeleted:
		return export, version, nil, fmt.Errorf("export %d: %w", id, ErrGone)
	case export.State != ExportDone:
		return export, version, nil, fmt.Errorf("export %d is %s: %w", id, export.State, ErrNotFound)
	}
	if err := destinationAllowed(ctx, s.pool, version.ID, Destination{Kind: ToExports}); err != nil {
		return export, version, nil, err
	}
	if archive, err = s.blobs.Get(ctx, export.Blob()); err != nil {
		return export, version, nil, fmt.Errorf("export %d: %w", id, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock lets an erasure find whoever takes the archive, or them find that it is gone.
		var state string
		if err := tx.QueryRow(ctx, `SELECT state FROM exports WHERE id = $1 FOR SHARE`, id).Scan(&state); err != nil {
			return fmt.Errorf("export %d: %w", id, notFound(err))
		}
		if state != ExportDone {
			return fmt.Errorf("export %d: %w", id, ErrGone)
		}
		if err := noteTaker(ctx, tx, actor, export); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "export.download", ObjectType: "export", ObjectID: id})
	})
	if err != nil {
		return export, version, nil, errors.Join(err, archive.Close())
	}
	return export, version, archive, nil
}

// BeginExport returns an export that its job now writes. ok is false if there is nothing to do any more.
func (s *Store) BeginExport(ctx context.Context, id int64) (export Export, version DatasetVersion, ok bool, err error) {
	tag, err := s.pool.Exec(ctx, `UPDATE exports SET state = 'running', done_items = 0 WHERE id = $1 AND state IN ('queued', 'running')`, id)
	if err != nil {
		return Export{}, DatasetVersion{}, false, fmt.Errorf("begin export %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return Export{}, DatasetVersion{}, false, nil
	}
	if export, version, err = s.Export(ctx, System(), id); err != nil {
		return Export{}, DatasetVersion{}, false, err
	}
	err = destinationAllowed(ctx, s.pool, version.ID, Destination{Kind: ToExports})
	if refused, ok := errors.AsType[*InvalidError](err); ok { // since it was asked for
		return Export{}, DatasetVersion{}, false, s.FailExport(ctx, id, refused.Reason)
	}
	return export, version, err == nil, err
}

// NoteExport says how many items of an export are written.
func (s *Store) NoteExport(ctx context.Context, id int64, items int) error {
	if _, err := s.pool.Exec(ctx, `UPDATE exports SET done_items = $2 WHERE id = $1 AND state = 'running'`, id, items); err != nil {
		return fmt.Errorf("progress of export %d: %w", id, err)
	}
	return nil
}

// Archive is what was written.
type Archive struct {
	Bytes  int64
	SHA256 []byte
	Report json.RawMessage
	Losses int
}

// FinishExport records that the archive lies in object storage.
func (s *Store) FinishExport(ctx context.Context, id int64, a Archive) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE exports e SET state = 'done', bytes = $2, sha256 = $3, report = $4, losses = $5, finished_at = now(), done_items = v.lines
		FROM dataset_versions v WHERE v.id = e.version_id AND e.id = $1 AND e.state = 'running'`, id, a.Bytes, a.SHA256, a.Report, a.Losses)
	if err != nil {
		return fmt.Errorf("finish export %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("finish export %d: %w", id, ErrConflict)
	}
	return nil
}

// FailExport gives up on an export; reason is a sentence for people. It returns ErrConflict if the export is not under way: it was deleted
// while it was written, say, with an item of its version.
func (s *Store) FailExport(ctx context.Context, id int64, reason string) error {
	tag, err := s.pool.Exec(ctx, `UPDATE exports SET state = 'failed', error = $2, finished_at = now() WHERE id = $1 AND state IN ('queued', 'running')`,
		id, reason)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("fail export %d: %w", id, err)
	}
	return nil
}

// ExportLine is one line of a version with what an archive needs of its item.
type ExportLine struct {
	manifest.Line

	Project     string // short name
	Leaf        []byte
	Orientation int    // EXIF tag of the original, 1 for upright
	Rendition   string // content type of the upright rendition, "" if there is none

	Spoken SpokenLine
}

// SpokenLine is what an archive needs of an utterance beside its line.
type SpokenLine struct {
	Recording int64  // 0 for an image, below 0 for a redaction, which has none
	File      string // the path of the recording
	Whole     bool   // the item is all of it
	Length    float64
	Silenced  bool                 // part of its sound was overwritten since the version was frozen
	Heard     [][]speech.HeardWord // what recognizers heard, if it was asked for
	Personal  []PersonalSpan
}

// Redacted reports whether the line is a redaction: words without sound.
func (l *ExportLine) Redacted() bool { return l.Spoken.Recording < 0 }

// Seconds is the length of the utterance itself.
func (l *ExportLine) Seconds() float64 { return l.Sound.End - l.Sound.Begin }

// exportOrder numbers the lines of a version in the order in which an archive has them: as their items came in, and utterances by
// their recordings.
const (
	exportOrder = `
		WITH o AS (
			SELECT l.item_id, l.truth_id, row_number() OVER (ORDER BY CASE WHEN i.recording_id IS NOT NULL THEN p.slug || '/' || x.file_name END COLLATE "C" NULLS FIRST,
				i.recording_id, i.begins, i.channel, l.item_id) AS n
			FROM dataset_lines l JOIN items i ON i.id = l.item_id JOIN projects p ON p.id = i.project_id JOIN item_texts x ON x.item_id = l.item_id
			WHERE l.version_id = @version AND (@split = '' OR l.split = @split))`
	exportLines = exportOrder + `
		SELECT o.n, l.item_id, l.leaf, l.split, l.media, coalesce(l.width, 0), coalesce(l.height, 0), x.external_key, p.slug,
			coalesce((a.facts->>'orientation')::int, 1), coalesce(d.content_type, ''),
			coalesce(rc.id, CASE WHEN i.state = 'redacted' THEN -i.id ELSE 0 END), x.file_name, coalesce(i.channel = 0 AND i.begins = 0 AND i.ends >= (rc.frames - 0.5) / rc.rate, false),
			coalesce(rc.frames / rc.rate::float8, 0), ` + silencedLine + `,
			CASE WHEN @words THEN (SELECT jsonb_agg(h.words ORDER BY h.prediction_id DESC) FROM hypotheses h WHERE h.item_id = l.item_id) END,
			CASE WHEN rc.id IS NOT NULL OR i.state = 'redacted' THEN ` + personalSpans + ` END, ` + soundColumns + `
		FROM o
		JOIN dataset_lines l ON l.version_id = @version AND l.item_id = o.item_id
		JOIN items i ON i.id = l.item_id
		JOIN truths t ON t.id = l.truth_id
		JOIN projects p ON p.id = i.project_id
		JOIN item_texts x ON x.item_id = l.item_id
		LEFT JOIN assets a ON a.item_id = l.item_id AND a.kind = 'original'
		LEFT JOIN assets d ON d.item_id = l.item_id AND d.kind = 'display'
		LEFT JOIN recordings rc ON rc.id = i.recording_id` + lineSounds + `
		ORDER BY o.n`
	exportBoxes = exportOrder + `
		SELECT o.n, b.class_id, coalesce(b.definition_version, 0), b.x, b.y, b.w, b.h, b.rotation, b.crowd
		FROM o JOIN truth_boxes b ON b.truth_id = o.truth_id ORDER BY o.n, b.position`
)

// ExportLines yields the lines of a version that are not erased, of one split or of all for "", in the order in which their items came
// in, those of utterances in that of their recordings; with words, they have what recognizers heard. A line's slices hold until the next.
func (s *Store) ExportLines(ctx context.Context, version DatasetVersion, classes []VersionClass, split manifest.Split, words bool) iter.Seq2[*ExportLine, error] {
	names := map[int64]string{}
	for _, class := range classes {
		names[class.ID] = class.Name
	}
	query := lineQuery{exportLines, exportBoxes, pgx.NamedArgs{"version": version.ID, "split": string(split), "words": words}}
	return func(yield func(*ExportLine, error) bool) {
		var l ExportLine
		var order int64
		var sound soundOf
		into := []any{
			&order, &l.Item, &l.Leaf, &l.Split, &l.Media, &l.Width, &l.Height, &l.Key, &l.Project, &l.Orientation, &l.Rendition,
			&l.Spoken.Recording, &l.Spoken.File, &l.Spoken.Whole, &l.Spoken.Length, &l.Spoken.Silenced, &l.Spoken.Heard, &l.Spoken.Personal,
		}
		opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		err := pgx.BeginTxFunc(ctx, s.pool, opts, func(tx pgx.Tx) error {
			return s.eachLine(ctx, tx, query, append(into, sound.into()...), func(boxes []truthBox) (err error) {
				if l.Boxes, err = named(boxes, names, l.Boxes[:0]); err != nil {
					return err
				}
				l.Sound = sound.line()
				if !yield(&l, nil) {
					return errEnough
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, fmt.Errorf("lines of version %d: %w", version.ID, err))
		}
	}
}

// ErasedLeaves returns the leaves of a version's erased lines in ascending order.
func (s *Store) ErasedLeaves(ctx context.Context, version DatasetVersion) ([][]byte, error) {
	rows, err := s.pool.Query(ctx, `SELECT leaf FROM dataset_lines WHERE version_id = $1 AND item_id IS NULL ORDER BY position`, version.ID)
	if err != nil {
		return nil, fmt.Errorf("erased lines of version %d: %w", version.ID, err)
	}
	leaves, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("erased lines of version %d: %w", version.ID, err)
	}
	return leaves, nil
}
