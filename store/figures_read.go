package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/quality"
	"fiducial/store/blob"
)

// LabelerFigures are a labeler's figures in a project, of one class or, with ClassID 0, of all.
type LabelerFigures struct {
	quality.Figures

	Project     int64
	Slug        string
	ProjectName string
	Person      int64
	Name        string
	ClassID     int64
	ClassName   string
	Slot        int
	ComputedAt  time.Time
	Member      bool // they still are one
	PausedAt    *time.Time
	PausedBy    string
	PauseReason string
	Kind        string // of the project
}

const figureColumns = `f.project_id, p.slug, p.name, f.person_id, coalesce(n.name, q.pseudonym), coalesce(f.class_id, 0), coalesce(c.name, ''), coalesce(c.slot, 0),
	f.computed_at, m.person_id IS NOT NULL, m.paused_at, coalesce(bn.name, b.pseudonym, ''), coalesce(m.pause_reason, ''),
	f.answers, f.approved, f.amended, f.rejected, f.reasons, f.truth_objects, f.truth_agreed, f.peer_objects, f.peer_agreed,
	f.gold_items, f.gold_objects, f.gold_agreed, f.gold_score, coalesce(f.gold_low, 0), coalesce(f.gold_high, 0), f.median_ms,
	p.kind, f.truth_word_errors, f.truth_words, f.peer_word_errors, f.peer_words, f.gold_word_errors, f.gold_words`

const figureTables = `labeler_figures f JOIN projects p ON p.id = f.project_id AND p.archived_at IS NULL JOIN people q ON q.id = f.person_id
	LEFT JOIN person_identities n ON n.person_id = q.id LEFT JOIN classes c ON c.id = f.class_id
	LEFT JOIN members m ON m.project_id = f.project_id AND m.person_id = f.person_id
	LEFT JOIN people b ON b.id = m.paused_by LEFT JOIN person_identities bn ON bn.person_id = b.id`

func scanFigures(row pgx.CollectableRow) (f LabelerFigures, err error) {
	err = row.Scan(&f.Project, &f.Slug, &f.ProjectName, &f.Person, &f.Name, &f.ClassID, &f.ClassName, &f.Slot,
		&f.ComputedAt, &f.Member, &f.PausedAt, &f.PausedBy, &f.PauseReason,
		&f.Answers, &f.Approved, &f.Amended, &f.Rejected, &f.Reasons, &f.TruthObjects, &f.TruthAgreed, &f.PeerObjects, &f.PeerAgreed,
		&f.GoldItems, &f.GoldObjects, &f.GoldAgreed, &f.GoldScore, &f.GoldInterval.Low, &f.GoldInterval.High, &f.MedianMS,
		&f.Kind, &f.Words.TruthErrors, &f.Words.TruthWords, &f.Words.PeerErrors, &f.Words.PeerWords, &f.Words.GoldErrors, &f.Words.GoldWords)
	return f, err
}

// Figures returns the figures of every labeler of a project, by name: of all classes first, then class by class.
func (s *Store) Figures(ctx context.Context, actor Actor, project int64) ([]LabelerFigures, error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+figureColumns+` FROM `+figureTables+`
		WHERE f.project_id = @project AND f.audience = 'reviewers' AND `+sees+`
		ORDER BY lower(coalesce(n.name, q.pseudonym)), f.person_id, c.slot NULLS FIRST`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	figures, err := pgx.CollectRows(rows, scanFigures)
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	return figures, nil
}

// MyFigures returns the actor's own figures in each of their projects, up to and with the day before. Gold items are
// in them together alone, from GoldShown on.
func (s *Store) MyFigures(ctx context.Context, actor Actor) ([]LabelerFigures, error) {
	if err := actor.may(access.Label); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+figureColumns+` FROM `+figureTables+`
		WHERE f.person_id = $1 AND f.audience = 'labeler' AND m.person_id IS NOT NULL
		ORDER BY lower(p.name), p.id, c.slot NULLS FIRST`, actor.PersonID)
	if err != nil {
		return nil, fmt.Errorf("own figures: %w", err)
	}
	figures, err := pgx.CollectRows(rows, scanFigures)
	if err != nil {
		return nil, fmt.Errorf("own figures: %w", err)
	}
	return figures, nil
}

// Rejection is a fault that a reviewer found with an answer. W and H are those of the box that it is about; of a
// place they are nil, and of the whole answer X and Y are too.
type Rejection struct {
	ID            int64
	Answer        int64
	Item          int64
	Task          int64
	Name          string
	Slug          string
	Project       string
	Person        string // "" on the labeler's own list
	Fault         Fault
	Note          string
	Dispute       string
	ClassName     string
	Slot          int
	X, Y, W, H    *float64
	Rotation      float64
	Width, Height int    // of the image
	Kind          string // of the project
	At            time.Time
	Open          bool // it waits to be mended
	Picture       bool // the actor may see it
}

var rejectionColumns = noteOf(markNote, "an.item_id", "k.id") + ` AS note, ` + noteOf(disputeNote, "an.item_id", "k.id") + ` AS dispute, k.id, an.id AS answer, an.item_id AS item, an.task_id AS task, ` + itemName + ` AS name, p.slug, p.name AS project, k.reason AS fault,
	coalesce(c.name, '') AS class_name, coalesce(c.slot, 0) AS slot, coalesce(b.x, k.x) AS x, coalesce(b.y, k.y) AS y, b.w, b.h, coalesce(b.rotation, 0) AS rotation,
	coalesce(i.width, 0) AS width, coalesce(i.height, 0) AS height, r.decided_at AS at,
	EXISTS (SELECT FROM assignments w WHERE w.task_id = an.task_id AND w.person_id = an.person_id AND w.state IN ('leased', 'returned')) AS open,
	i.state = 'ready' AND p.kind = 'image' AS picture, p.kind`

const rejectionTables = `review_marks k JOIN annotations an ON an.id = k.annotation_id JOIN reviews r ON r.id = k.review_id JOIN tasks t ON t.id = an.task_id
	JOIN items i ON i.id = an.item_id JOIN projects p ON p.id = i.project_id AND p.archived_at IS NULL LEFT JOIN item_texts x ON x.item_id = i.id
	LEFT JOIN annotation_boxes b ON b.annotation_id = k.annotation_id AND b.position = k.position LEFT JOIN classes c ON c.id = b.class_id`

// stands is the condition that the decision behind mark k was not taken back.
const stands = `NOT EXISTS (SELECT FROM reviews back WHERE back.undoes = k.review_id)`

// MyRejections returns what reviewers found with the actor's answers, the newest answers first: of at most limit answers
// before one of them, 0 for the start.
func (s *Store) MyRejections(ctx context.Context, actor Actor, before int64, limit int) ([]Rejection, error) {
	if err := actor.may(access.Label); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		WITH mine AS (
			SELECT o.id FROM annotations o
			WHERE o.person_id = $1 AND o.superseded_at IS NOT NULL AND NOT o.gold AND ($2::bigint = 0 OR o.id < $2::bigint)
			  AND EXISTS (SELECT FROM review_marks k WHERE k.annotation_id = o.id AND `+stands+`)
			ORDER BY o.id DESC LIMIT $3)
		SELECT `+rejectionColumns+`, '' AS person FROM `+rejectionTables+`
		WHERE an.id IN (SELECT id FROM mine) AND `+stands+` AND EXISTS (SELECT FROM members m WHERE m.project_id = p.id AND m.person_id = $1)
		ORDER BY an.id DESC, k.id`, actor.PersonID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("rejections: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Rejection])
	if err != nil {
		return nil, fmt.Errorf("rejections: %w", err)
	}
	return list, nil
}

// Disputes returns the faults that labelers of a project contest and on which nobody decided since, the oldest first.
func (s *Store) Disputes(ctx context.Context, actor Actor, project int64, limit int) ([]Rejection, error) {
	if err := actor.may(access.ReadQuality); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+rejectionColumns+`, '' AS person FROM `+rejectionTables+`
		WHERE k.disputed_at IS NOT NULL AND p.id = @project AND t.state IN ('open', 'in_review') AND `+stands+` AND `+sees+`
		ORDER BY k.disputed_at, k.id LIMIT @limit`, actor.args(pgx.NamedArgs{"project": project, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("disputes: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Rejection])
	if err != nil {
		return nil, fmt.Errorf("disputes: %w", err)
	}
	return list, nil
}

// FaultCrop returns the JPEG of the part of an item that a fault is about, for its labeler and for whoever reads the
// project's items. The reader must be closed.
func (s *Store) FaultCrop(ctx context.Context, actor Actor, mark int64) (*blob.Object, error) {
	if err := actor.may(access.Label); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT 0::bigint AS id, 0::bigint AS definition_id, an.item_id, 'no' AS shows, coalesce(b.x, k.x) AS x, coalesce(b.y, k.y) AS y,
			coalesce(b.w, 0) AS w, coalesce(b.h, 0) AS h, '' AS caption
		FROM `+rejectionTables+`
		WHERE k.id = @mark AND coalesce(b.x, k.x) IS NOT NULL AND i.state = 'ready' AND (an.person_id = @person OR @reads) AND `+sees,
		actor.args(pgx.NamedArgs{"mark": mark, "reads": actor.Allowed(access.ReadItems)}))
	if err != nil {
		return nil, fmt.Errorf("crop of mark %d: %w", mark, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Example])
	if err != nil {
		return nil, fmt.Errorf("crop of mark %d: %w", mark, notFound(err))
	}
	return s.itemCrop(ctx, e)
}
