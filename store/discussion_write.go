package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/discussion"
)

// NewComment is something to be said about an item: about a box of an answer or of the truth (Annotation or Truth,
// and Position), about a place (X, Y in pixels of the upright image), or, with none of them, about the whole. Body
// is a text as discussion.Encode makes it.
type NewComment struct {
	Item              int64
	Body              string
	Annotation, Truth int64
	Position          int
	X, Y              *float64
}

func (c *NewComment) check() (err error) {
	if c.Body, err = trimmedComment(c.Body); err != nil {
		return err
	}
	switch {
	case (c.X == nil) != (c.Y == nil):
		return invalid("about", "A place needs both its numbers.")
	case c.X != nil && (c.Annotation != 0 || c.Truth != 0), c.Annotation != 0 && c.Truth != 0:
		return invalid("about", "A comment is about a box, about a place, or about the whole.")
	case c.X != nil && (math.IsNaN(*c.X+*c.Y) || math.IsInf(*c.X+*c.Y, 0)):
		return invalid("about", "The place is not a number.")
	}
	return nil
}

// AddComment says something about an item, for everybody who may see its discussion. Who is mentioned is told, and so
// are those who took part before, and whose answer it is about. A settled discussion is open again.
func (s *Store) AddComment(ctx context.Context, actor Actor, c NewComment) (id int64, err error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		d, err := speakingOf(ctx, tx, actor, c.Item)
		if err != nil {
			return err
		}
		owner, err := aboutOf(ctx, tx, actor, d, c)
		if err != nil {
			return err
		}
		if err := openDiscussion(ctx, tx, actor, d); err != nil {
			return err
		}
		var position *int
		if c.Annotation != 0 || c.Truth != 0 {
			position = &c.Position
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO comments (item_id, person_id, kind, annotation_id, truth_id, position, x, y)
			VALUES ($1, $2, 'said', $3, $4, $5, $6, $7) RETURNING id`,
			c.Item, actor.PersonID, orNull(c.Annotation), orNull(c.Truth), position, c.X, c.Y).Scan(&id)
		if err != nil {
			return err
		}
		if err := tellOf(ctx, tx, actor, d, said{Comment: id, Version: 1, Body: c.Body, Owner: owner}); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "comment.add", ObjectType: "comment", ObjectID: id, ProjectID: d.Project, Detail: map[string]any{"item": c.Item},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("comment on item %d: %w", c.Item, err)
	}
	return id, nil
}

// speakingOf is discussedItem for a person who is about to say something.
func speakingOf(ctx context.Context, tx pgx.Tx, actor Actor, item int64) (discussed, error) {
	d, err := discussedItem(ctx, tx, actor, item)
	if err == nil && actor.PersonID == 0 {
		err = invalid("", "A comment bears a person's name. Sign in to write one.")
	}
	return d, err
}

// aboutOf refuses a comment about what the actor cannot see, and returns whose answer it is about, or 0.
func aboutOf(ctx context.Context, tx pgx.Tx, actor Actor, d discussed, c NewComment) (owner int64, err error) {
	if c.X != nil {
		var inside bool
		err := tx.QueryRow(ctx, `
			SELECT coalesce($2::float8 BETWEEN 0 AND coalesce(width, ends - begins) AND $3::float8 BETWEEN 0 AND coalesce(height, 64), false) FROM items WHERE id = $1`,
			c.Item, *c.X, *c.Y).Scan(&inside)
		if err == nil && !inside {
			err = invalid("about", "The place lies outside the item.")
		}
		return 0, err
	}
	if c.Annotation == 0 && c.Truth == 0 {
		return 0, nil
	}
	err = tx.QueryRow(ctx, `SELECT person FROM (`+commentable+`) b WHERE annotation = @annotation AND truth = @truth AND position = @position`,
		commentableArgs(actor, d, pgx.NamedArgs{"annotation": c.Annotation, "truth": c.Truth, "position": c.Position})).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, invalid("about", "That box is not there any more. Load the page again.")
	}
	return owner, err
}

// openDiscussion begins the discussion of an item, or opens it again; its row stays locked.
func openDiscussion(ctx context.Context, tx pgx.Tx, actor Actor, d discussed) error {
	_, err := tx.Exec(ctx, `INSERT INTO discussions (item_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, d.Item, d.Project)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE discussions SET last_at = now(), resolved_at = NULL WHERE item_id = $1 AND resolved_at IS NOT NULL`, d.Item)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		_, err = tx.Exec(ctx, `UPDATE discussions SET last_at = now() WHERE item_id = $1`, d.Item)
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO comments (item_id, person_id, kind) VALUES ($1, $2, 'reopened')`, d.Item, actor.PersonID)
	return err
}

// said is a text with what must be known to tell others of it. Owner is whose answer it is about, 0 for nobody's.
type said struct {
	Comment int64
	Version int
	Body    string
	Owner   int64
}

// tellOf stores a version of a comment's text and tells those whom it concerns and who were not told of it yet.
func tellOf(ctx context.Context, tx pgx.Tx, actor Actor, d discussed, c said) error {
	people, err := threadPeople(ctx, tx, actor, d)
	if err != nil {
		return err
	}
	mayKnow := func(id int64) bool {
		return slices.ContainsFunc(people, func(p ThreadPerson) bool { return p.ID == id && p.Sees })
	}
	follows := func(id int64) bool {
		return slices.ContainsFunc(people, func(p ThreadPerson) bool { return p.ID == id && p.Sees && !p.Apart })
	}
	_, err = tx.Exec(ctx, `INSERT INTO comment_texts (item_id, comment_id, version, body) VALUES ($1, $2, $3, $4)`, d.Item, c.Comment, c.Version, c.Body)
	if err != nil {
		return err
	}
	mentioned := discussion.Mentioned(c.Body)
	for _, id := range mentioned {
		if id == actor.PersonID || !mayKnow(id) {
			continue
		}
		tag, err := tx.Exec(ctx, `INSERT INTO comment_mentions (comment_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, c.Comment, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			continue
		}
		if err := notify(ctx, tx, id, CommentMention, "comment", c.Comment, d.Project); err != nil {
			return err
		}
	}
	if c.Version > 1 {
		return nil
	}
	return tellParticipants(ctx, tx, actor, d, c.Owner, func(id int64) bool { return follows(id) && !slices.Contains(mentioned, id) })
}

// tellParticipants tells those who took part in a discussion that it goes on, once until they have read that.
func tellParticipants(ctx context.Context, tx pgx.Tx, actor Actor, d discussed, owner int64, concerns func(int64) bool) error {
	rows, err := tx.Query(ctx, `
		SELECT person_id FROM (
			SELECT person_id FROM comments WHERE item_id = $1 AND kind = 'said' UNION SELECT $3::bigint WHERE $3 <> 0) took
		WHERE person_id <> $2 AND NOT EXISTS (
			SELECT FROM notices n WHERE n.person_id = took.person_id AND n.kind = $4 AND n.object_id = $1 AND n.read_at IS NULL)
		ORDER BY person_id`, d.Item, actor.PersonID, owner, CommentReply)
	if err != nil {
		return err
	}
	people, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, id := range people {
		if !concerns(id) {
			continue
		}
		if err := notify(ctx, tx, id, CommentReply, "item", d.Item, d.Project); err != nil {
			return err
		}
	}
	return nil
}

// ownComment locks a comment of the actor's that the condition lets through, and returns it with its item.
func ownComment(ctx context.Context, tx pgx.Tx, actor Actor, comment int64, condition string) (d discussed, version int, ok bool, err error) {
	var item int64
	err = tx.QueryRow(ctx, `
		SELECT c.item_id, c.version, (`+condition+`) IS TRUE FROM comments c
		WHERE c.id = @comment AND c.person_id = @person AND c.kind = 'said' FOR NO KEY UPDATE`,
		pgx.NamedArgs{"comment": comment, "person": actor.PersonID}).Scan(&item, &version, &ok)
	if err != nil {
		return discussed{}, 0, false, notFound(err)
	}
	d, err = speakingOf(ctx, tx, actor, item)
	return d, version, ok, err
}

// EditComment replaces the text of the actor's own comment within its first 15 minutes, and returns the item. What it
// said before stays to be read.
func (s *Store) EditComment(ctx context.Context, actor Actor, comment int64, body string) (item int64, err error) {
	if err := actor.may(access.Discuss); err != nil {
		return 0, err
	}
	if body, err = trimmedComment(body); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		d, version, ok, err := ownComment(ctx, tx, actor, comment, editable)
		if err != nil {
			return err
		}
		item = d.Item
		if !ok {
			return invalid("body", "A comment can be changed for 15 minutes. Write another one instead.")
		}
		tag, err := tx.Exec(ctx, `
			UPDATE comments SET version = version + 1, edited_at = now() WHERE id = $1
			AND NOT EXISTS (SELECT FROM comment_texts x WHERE x.item_id = comments.item_id AND x.comment_id = comments.id AND x.version = comments.version AND x.body = $2)`,
			comment, body)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if err := tellOf(ctx, tx, actor, d, said{Comment: comment, Version: version + 1, Body: body}); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "comment.edit", ObjectType: "comment", ObjectID: comment, ProjectID: d.Project, Detail: map[string]any{"item": item},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("edit comment %d: %w", comment, err)
	}
	return item, nil
}

// DeleteComment takes back the actor's own comment and returns the item. Its text is gone; that there was one is not.
func (s *Store) DeleteComment(ctx context.Context, actor Actor, comment int64) (item int64, err error) {
	if err := actor.may(access.Discuss); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		d, _, stands, err := ownComment(ctx, tx, actor, comment, `c.deleted_at IS NULL`)
		if err != nil {
			return err
		}
		item = d.Item
		if !stands {
			return nil // the same once more
		}
		batch := &pgx.Batch{}
		batch.Queue(`UPDATE comments SET deleted_at = now() WHERE id = $1`, comment)
		batch.Queue(`DELETE FROM comment_texts WHERE item_id = $1 AND comment_id = $2`, item, comment)
		batch.Queue(`DELETE FROM comment_mentions WHERE comment_id = $1`, comment)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "comment.delete", ObjectType: "comment", ObjectID: comment, ProjectID: d.Project, Detail: map[string]any{"item": item},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("delete comment %d: %w", comment, err)
	}
	return item, nil
}

// SettleThread says that the discussion of an item is settled, or open again, for those who review.
func (s *Store) SettleThread(ctx context.Context, actor Actor, item int64, settled bool) error {
	if err := actor.may(access.Review); err != nil {
		return err
	}
	kind := "reopened"
	if settled {
		kind = "resolved"
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		d, err := speakingOf(ctx, tx, actor, item)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE discussions SET resolved_at = CASE WHEN $2 THEN now() END, last_at = now()
			WHERE item_id = $1 AND (resolved_at IS NULL) = $2`, item, settled)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO comments (item_id, person_id, kind) VALUES ($1, $2, $3)`, item, actor.PersonID, kind); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: "discussion." + kind, ObjectType: "item", ObjectID: item, ProjectID: d.Project})
	})
	if err != nil {
		return fmt.Errorf("settle discussion of item %d: %w", item, err)
	}
	return nil
}

// CommentItem returns the item that a comment is about, if the actor may see its discussion.
func (s *Store) CommentItem(ctx context.Context, actor Actor, comment int64) (item int64, err error) {
	if err := actor.may(access.Discuss); err != nil {
		return 0, err
	}
	if err := s.pool.QueryRow(ctx, `SELECT item_id FROM comments WHERE id = $1`, comment).Scan(&item); err != nil {
		return 0, fmt.Errorf("comment %d: %w", comment, notFound(err))
	}
	if _, err := discussedItem(ctx, s.pool, actor, item); err != nil {
		return 0, fmt.Errorf("comment %d: %w", comment, err)
	}
	return item, nil
}
