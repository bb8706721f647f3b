package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
)

// Diff is what two versions differ in, each difference with its one reason. From is the older of the two.
type Diff struct {
	ID         int64
	From       DatasetVersion `db:"-"`
	To         DatasetVersion `db:"-"`
	FromID     int64
	ToID       int64
	State      string // "queued", "done" or "failed"
	Same       int    // lines that both have
	CreatedAt  time.Time
	FinishedAt *time.Time
	Counts     []DiffCount `db:"-"`
}

// DiffCount is how many lines differ for one reason, in one way, between two sides.
type DiffCount struct {
	Reason    manifest.Reason
	Detail    string         // see the Detail constants; the rule for what was filtered
	FromSplit manifest.Split // "" for what is not there, or is erased
	ToSplit   manifest.Split
	Came      int // of them, lines of the newer version alone
	Gone      int // lines of the older version alone
	Changed   int // lines of both
}

// Lines is how many differences it counts.
func (c *DiffCount) Lines() int { return c.Came + c.Gone + c.Changed }

// Split is the side on which they are counted: where they are now, else where they were, "" once that is erased.
func (c *DiffCount) Split() manifest.Split {
	if c.ToSplit != "" {
		return c.ToSplit
	}
	return c.FromSplit
}

// The details of reasons that have several.
const (
	DetailItem       = "item"       // added: it was imported since
	DetailTruth      = "truth"      // added: it got its first truth since
	DetailRecipe     = "recipe"     // added: the recipe takes it in now; filtered: the recipe changed
	DetailReturned   = "returned"   // added: it had been discarded, or its truth withdrawn
	DetailDefinition = "definition" // redefined: the same boxes, made under another version of the definition
	DetailRelabel    = "relabel"    // redefined: its labels were sent back because of a definition, and the boxes are others
	DetailName       = "name"       // redefined: a class is called otherwise
	DetailRules      = "rules"      // redefined: the same words and moments, written under other transcription rules
	DetailWords      = "words"      // relabelled: the transcript is another, its moments are the same
	DetailOrder      = "order"      // relabelled: the same boxes in another order
	DetailKey        = "key"        // replaced: it is the name that is another
	DetailProject    = "project"    // filtered: the recipe does not name its project any more
	DetailBroken     = "broken"     // filtered: its picture cannot be used
)

const diffColumns = `id, from_version AS from_id, to_version AS to_id, state, same, created_at, finished_at`

// Compare returns what two frozen versions differ in, whichever is named first. It is worked out by a job, once: a diff that is
// there and still true is given back, and one is asked for otherwise. The versions came from methods that checked who asks.
func (s *Store) Compare(ctx context.Context, actor Actor, a, b DatasetVersion) (diff Diff, err error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return Diff{}, err
	}
	switch {
	case a.State != VersionFrozen || b.State != VersionFrozen:
		return Diff{}, invalid("", "Only frozen versions can be compared. Wait until both are frozen.")
	case a.ID == b.ID:
		return Diff{}, invalid("", "Name two different versions: a version does not differ from itself.")
	}
	from, to := a, b
	if b.FrozenAt.Before(*a.FrozenAt) || b.FrozenAt.Equal(*a.FrozenAt) && b.ID < a.ID {
		from, to = b, a
	}
	id, err := s.currentDiff(ctx, s.pool, from, to)
	if errors.Is(err, ErrNotFound) {
		id, err = s.askForDiff(ctx, actor, from, to, false)
	}
	if err != nil {
		return Diff{}, err
	}
	return s.fullDiff(ctx, id, from, to)
}

// currentDiff returns the newest diff of two versions unless something was erased since it was worked out.
func (s *Store) currentDiff(ctx context.Context, q querier, from, to DatasetVersion) (id int64, err error) {
	err = q.QueryRow(ctx, `
		SELECT d.id FROM dataset_diffs d
		WHERE d.from_version = $1 AND d.to_version = $2 AND (d.state <> 'done'
			OR d.from_erased = (SELECT count(*) FROM dataset_lines l WHERE l.version_id = $1 AND l.item_id IS NULL)
			AND d.to_erased = (SELECT count(*) FROM dataset_lines l WHERE l.version_id = $2 AND l.item_id IS NULL))
		ORDER BY d.id DESC LIMIT 1`, from.ID, to.ID).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("diff of versions %d and %d: %w", from.ID, to.ID, notFound(err))
	}
	return id, nil
}

// askForDiff has a job work a diff out unless one is there; anew is for one that is there and not to be trusted.
func (s *Store) askForDiff(ctx context.Context, actor Actor, from, to DatasetVersion, anew bool) (id int64, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock lets only one of two requests at once find nothing on its way.
		if _, err := tx.Exec(ctx, `SELECT FROM dataset_versions WHERE id = $1 FOR UPDATE`, to.ID); err != nil {
			return fmt.Errorf("diff of version %d: %w", to.ID, err)
		}
		if id, err = s.currentDiff(ctx, tx, from, to); !anew && !errors.Is(err, ErrNotFound) {
			return err
		}
		err := tx.QueryRow(ctx, `INSERT INTO dataset_diffs (from_version, to_version, created_by, token_id) VALUES ($1, $2, $3, $4) RETURNING id`,
			from.ID, to.ID, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if err != nil {
			return fmt.Errorf("diff of version %d: %w", to.ID, err)
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.DiffVersions{DiffID: id}, nil); err != nil {
			return fmt.Errorf("enqueue diff %d: %w", id, err)
		}
		return nil
	})
	return id, err
}

// CompareAgain has a job work a diff out anew, since truth may have been taken back or an item discarded after its figures were made.
func (s *Store) CompareAgain(ctx context.Context, actor Actor, diff Diff) error {
	if err := actor.may(access.ReadDatasets); err != nil {
		return err
	}
	if diff.State == "queued" {
		return nil
	}
	_, err := s.askForDiff(ctx, actor, diff.From, diff.To, true)
	return err
}

// Diff returns one diff with its two versions, or ErrNotFound if the actor does not see both.
func (s *Store) Diff(ctx context.Context, actor Actor, id int64) (Diff, error) {
	var fromID, toID int64
	err := s.pool.QueryRow(ctx, `SELECT from_version, to_version FROM dataset_diffs WHERE id = $1`, id).Scan(&fromID, &toID)
	if err != nil {
		return Diff{}, fmt.Errorf("diff %d: %w", id, notFound(err))
	}
	from, err := s.versionByID(ctx, actor, fromID)
	if err != nil {
		return Diff{}, err
	}
	to, err := s.versionByID(ctx, actor, toID)
	if err != nil {
		return Diff{}, err
	}
	return s.fullDiff(ctx, id, from, to)
}

func (s *Store) fullDiff(ctx context.Context, id int64, from, to DatasetVersion) (Diff, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+diffColumns+` FROM dataset_diffs WHERE id = $1`, id)
	if err != nil {
		return Diff{}, fmt.Errorf("diff %d: %w", id, err)
	}
	diff, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Diff])
	if err != nil {
		return Diff{}, fmt.Errorf("diff %d: %w", id, notFound(err))
	}
	diff.From, diff.To = from, to
	rows, err = s.pool.Query(ctx, `
		SELECT reason, detail, from_split, to_split, came, gone, changed FROM dataset_diff_counts
		WHERE diff_id = $1 ORDER BY reason, detail, to_split, from_split`, id)
	if err != nil {
		return Diff{}, fmt.Errorf("counts of diff %d: %w", id, err)
	}
	if diff.Counts, err = pgx.CollectRows(rows, pgx.RowToStructByName[DiffCount]); err != nil {
		return Diff{}, fmt.Errorf("counts of diff %d: %w", id, err)
	}
	return diff, nil
}

// DiffLine is one difference. What an erasure has emptied is gone from it too: then ErasureID and ErasedAt say which one it was.
type DiffLine struct {
	Reason       manifest.Reason
	Detail       string
	Split        string // the side on which it is counted
	Ordinal      int    // its place among those of its reason and split
	FromPosition *int   // NULL for what the older version does not have
	ToPosition   *int
	FromSplit    string
	ToSplit      string
	FromTruth    int64
	ToTruth      int64
	Leaf         []byte // of the newer version, else of the older
	ItemID       int64  // 0 once it is erased
	Key          string
	Width        int
	Height       int
	Thumb        bool // there is a thumbnail to show
	Sound        bool // it is an utterance
	ErasureID    int64
	ErasedAt     *time.Time
	FromBoxes    []Box  `db:"-"`
	ToBoxes      []Box  `db:"-"`
	FromText     string `db:"-"` // of the transcripts
	ToText       string `db:"-"`
}

// DiffPlace is a place in the list of differences of one reason; the zero value is its beginning.
type DiffPlace struct {
	Split   string
	Ordinal int
}

// DiffLines returns at most limit differences of one reason, of one split or of all for "", after a place. The diff came from a
// method that checked who asks. With boxes each has the boxes of both truths.
func (s *Store) DiffLines(ctx context.Context, diff Diff, reason manifest.Reason, split string, after DiffPlace, limit int, boxes bool) ([]DiffLine, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.reason, d.detail, d.split, d.ordinal, d.from_position, d.to_position, coalesce(a.split, '') AS from_split, coalesce(b.split, '') AS to_split,
			coalesce(a.truth_id, 0) AS from_truth, coalesce(b.truth_id, 0) AS to_truth, coalesce(b.leaf, a.leaf) AS leaf,
			coalesce(b.item_id, a.item_id, 0) AS item_id, coalesce(x.external_key, '') AS key,
			coalesce(b.width, a.width, 0) AS width, coalesce(b.height, a.height, 0) AS height,
			EXISTS (SELECT FROM assets t WHERE t.item_id = coalesce(b.item_id, a.item_id) AND t.kind = 'thumb') AS thumb,
			EXISTS (SELECT FROM items i WHERE i.id = coalesce(b.item_id, a.item_id) AND (i.recording_id IS NOT NULL OR i.state = 'redacted')) AS sound,
			coalesce(e.id, 0) AS erasure_id, e.erased_at
		FROM dataset_diff_lines d
		LEFT JOIN dataset_lines a ON a.version_id = @from AND a.position = d.from_position
		LEFT JOIN dataset_lines b ON b.version_id = @to AND b.position = d.to_position
		LEFT JOIN item_texts x ON x.item_id = coalesce(b.item_id, a.item_id)
		LEFT JOIN erasures e ON e.id = coalesce(b.erasure_id, a.erasure_id)
		WHERE d.diff_id = @diff AND d.reason = @reason AND (@split = '' OR d.split = @split) AND (d.split, d.ordinal) > (@after_split, @after::int)
		ORDER BY d.split, d.ordinal LIMIT @limit`,
		pgx.NamedArgs{
			"from": diff.FromID, "to": diff.ToID, "diff": diff.ID, "reason": string(reason), "split": split, "after_split": after.Split, "after": after.Ordinal, "limit": limit,
		})
	if err != nil {
		return nil, fmt.Errorf("lines of diff %d: %w", diff.ID, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByName[DiffLine])
	if err != nil {
		return nil, fmt.Errorf("lines of diff %d: %w", diff.ID, err)
	}
	if boxes {
		err = s.diffBoxes(ctx, lines)
	}
	return lines, err
}

// diffBoxes gives the lines the boxes of their truths, and the words.
func (s *Store) diffBoxes(ctx context.Context, lines []DiffLine) error {
	var truths []int64
	for _, line := range lines {
		truths = append(truths, line.FromTruth, line.ToTruth)
	}
	boxes, err := boxesOfMany(ctx, s.pool, "truth_boxes", "truth_id", truths)
	if err != nil {
		return err
	}
	for i := range lines {
		lines[i].FromBoxes, lines[i].ToBoxes = boxes[lines[i].FromTruth], boxes[lines[i].ToTruth]
	}
	return s.diffTexts(ctx, lines)
}

// diffTexts gives the lines of utterances what their truths say.
func (s *Store) diffTexts(ctx context.Context, lines []DiffLine) error {
	for i := range lines {
		line := &lines[i]
		if !line.Sound {
			continue
		}
		from, err := transcriptOf(ctx, s.pool, line.ItemID, truthTranscript, line.FromTruth)
		if err != nil {
			return err
		}
		to, err := transcriptOf(ctx, s.pool, line.ItemID, truthTranscript, line.ToTruth)
		if err != nil {
			return err
		}
		line.FromText, line.ToText = from.Text(), to.Text()
	}
	return nil
}

// FailDiff gives up on a diff that could not be worked out.
func (s *Store) FailDiff(ctx context.Context, id int64) error {
	_, err := s.pool.Exec(ctx, `UPDATE dataset_diffs SET state = 'failed', finished_at = now() WHERE id = $1 AND state = 'queued'`, id)
	if err != nil {
		return fmt.Errorf("fail diff %d: %w", id, err)
	}
	return nil
}
