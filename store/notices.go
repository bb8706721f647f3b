package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// NoticeKind is what a notice tells.
type NoticeKind string

// What people are told of. The object of the first three is a task, that of batch ones the batch.
const (
	AnswerRejected   NoticeKind = "answer.rejected"  // it waits for its labeler again
	AnswerSetAside   NoticeKind = "answer.set_aside" // rejected, and not wanted again
	RejectionUndone  NoticeKind = "rejection.undone" // the answer counts as it was
	LabelsReturned   NoticeKind = "labels.returned"  // a definition changed; the object is the relabel
	CommentMention   NoticeKind = "comment.mention"  // the object is the comment
	CommentReply     NoticeKind = "comment.reply"    // the object is the item
	BatchYours       NoticeKind = "batch.yours"      // they answer for it from now on
	BatchAnswered    NoticeKind = "batch.answered"   // its owner can have it looked at
	BatchDone        NoticeKind = "batch.approved"   // to its owner and labelers
	BatchBack        NoticeKind = "batch.returned"   // to its owner and labelers
	ConcernRaised    NoticeKind = "concern.raised"   // a labeler fell under the limit; the object is the concern
	TalkWanted       NoticeKind = "talk.wanted"      // the object of this and the next two is the project
	MemberPaused     NoticeKind = "member.paused"
	MemberResumed    NoticeKind = "member.resumed"
	ExportErased     NoticeKind = "export.erased"   // an archive that they made or took held what was erased; the object is the export
	TestSetShrinks   NoticeKind = "testset.shrinks" // to admins; the object is the dataset version
	ErasureOverdue   NoticeKind = "erasure.overdue" // to admins; the object is the erasure
	LinesErased      NoticeKind = "lines.erased"    // of a version that a consumer of theirs uses; the object is the consumer's notice
	AlertRaised      NoticeKind = "alert.raised"    // the object is the alert
	unreadNoticesTop            = 100
)

// Notice is told to one person. It holds ids alone; what it says is made from its kind.
type Notice struct {
	ID          int64
	Kind        NoticeKind
	ObjectID    int64
	Batch       int    // its number, of what is told of one; 0 otherwise
	Project     string // slug, "" for none
	ProjectName string
	At          time.Time
	Read        bool
}

// notify leaves a notice for a person, in the transaction of what it tells of.
func notify(ctx context.Context, tx pgx.Tx, person int64, kind NoticeKind, objectType string, object, project int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO notices (person_id, kind, object_type, object_id, project_id) VALUES ($1, $2, $3, $4, $5)`,
		person, kind, objectType, object, orNull(project))
	if err != nil {
		return fmt.Errorf("notice %s: %w", kind, err)
	}
	return nil
}

// Notices returns the actor's notices from the newest on, at most limit; before is the id of the last
// one that was seen, 0 for the start.
func (s *Store) Notices(ctx context.Context, actor Actor, before int64, limit int) ([]Notice, error) {
	if err := actor.may(access.Account); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT n.id, n.kind, n.object_id, coalesce(b.number, 0) AS batch, coalesce(p.slug, '') AS project, coalesce(p.name, '') AS project_name,
			n.created_at AS at, n.read_at IS NOT NULL AS read
		FROM notices n LEFT JOIN projects p ON p.id = n.project_id LEFT JOIN batches b ON n.object_type = 'batch' AND b.id = n.object_id
		WHERE n.person_id = $1 AND ($2::bigint = 0 OR n.id < $2) ORDER BY n.id DESC LIMIT $3`, actor.PersonID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	notices, err := pgx.CollectRows(rows, pgx.RowToStructByName[Notice])
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	return notices, nil
}

// UnreadNotices returns how many notices the actor has not read, counting up to 100.
func (s *Store) UnreadNotices(ctx context.Context, actor Actor) (n int, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT FROM notices WHERE person_id = $1 AND read_at IS NULL LIMIT $2) unread`,
		actor.PersonID, unreadNoticesTop).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("unread notices: %w", err)
	}
	return n, nil
}

// ReadNotices marks the actor's notices as read, up to and with the one of this id.
func (s *Store) ReadNotices(ctx context.Context, actor Actor, upTo int64) error {
	if err := actor.may(access.Account); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, `UPDATE notices SET read_at = now() WHERE person_id = $1 AND id <= $2 AND read_at IS NULL`, actor.PersonID, upTo)
	if err != nil {
		return fmt.Errorf("read notices: %w", err)
	}
	return nil
}
