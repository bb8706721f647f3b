package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/github"
)

// Hook is where another system posts what happened there.
type Hook struct {
	ID        int64
	Name      string
	System    string // of its changes; "" for the repository's name
	By        string
	CreatedAt time.Time
	LastAt    *time.Time // when it was called last
}

// Hooks returns the hooks that are open, the newest first.
func (s *Store) Hooks(ctx context.Context, actor Actor) ([]Hook, error) {
	if err := actor.may(access.EditChains); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT h.id, h.name, h.system, coalesce(pi.name, pe.pseudonym, '') AS by, h.created_at, h.last_at
		FROM hooks h LEFT JOIN people pe ON pe.id = h.created_by LEFT JOIN person_identities pi ON pi.person_id = h.created_by
		WHERE h.revoked_at IS NULL ORDER BY h.id DESC`)
	if err != nil {
		return nil, fmt.Errorf("hooks: %w", err)
	}
	hooks, err := pgx.CollectRows(rows, pgx.RowToStructByName[Hook])
	if err != nil {
		return nil, fmt.Errorf("hooks: %w", err)
	}
	return hooks, nil
}

func hookPlace(id int64) string { return fmt.Sprintf("hook %d", id) }

// AddHook opens a hook and returns the secret with which calls to it are signed: shown this once, and kept sealed.
func (s *Store) AddHook(ctx context.Context, actor Actor, name, system string) (id int64, secret string, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return 0, "", err
	}
	name, system = strings.TrimSpace(name), strings.TrimSpace(system)
	switch {
	case name == "" || len([]rune(name)) > 100:
		return 0, "", invalid("name", "Give the hook a name of at most 100 letters, such as that of the repository.")
	case len([]rune(system)) > longestChangeSystem:
		return 0, "", invalid("system", fmt.Sprintf("Keep the name of the system under %d letters.", longestChangeSystem))
	}
	key, err := s.sealing()
	if err != nil {
		return 0, "", err
	}
	if key.IsZero() {
		return 0, "", invalid("", "This server has no key to keep a secret under: start it with a data folder, or with FIDUCIAL_SIGNING_KEY.")
	}
	secret = hookPrefix + strings.ToLower(rand.Text())
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `INSERT INTO hooks (name, system, secret, created_by) VALUES ($1, $2, '', $3) RETURNING id`,
			name, system, orNull(actor.PersonID)).Scan(&id)
		if err != nil {
			return fmt.Errorf("add hook: %w", err)
		}
		if _, err := tx.Exec(ctx, `UPDATE hooks SET secret = $2 WHERE id = $1`, id, key.Seal([]byte(secret), hookPlace(id))); err != nil {
			return fmt.Errorf("add hook: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "hook.add", ObjectType: "hook", ObjectID: id})
	})
	return id, secret, err
}

// RevokeHook closes a hook. What it told stays.
func (s *Store) RevokeHook(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.EditChains); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE hooks SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("revoke hook %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("hook %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "hook.revoke", ObjectType: "hook", ObjectID: id})
	})
}

// ErrSignature is a call to a hook that does not bear the signature of who knows its secret.
var ErrSignature = errors.New("store: the signature does not fit")

// HookCalled takes what a system posts to a hook: nobody is signed in, the signature is all that counts. It returns the change that came
// of it, 0 for what does not belong on the timeline; a body that is not what its event promises is github.ErrPayload.
func (s *Store) HookCalled(ctx context.Context, id int64, event, signature string, body []byte) (change int64, err error) {
	var box []byte
	var system string
	err = s.pool.QueryRow(ctx, `SELECT secret, system FROM hooks WHERE id = $1 AND revoked_at IS NULL`, id).Scan(&box, &system)
	if err != nil {
		return 0, fmt.Errorf("hook %d: %w", id, notFound(err))
	}
	key, err := s.sealing()
	if err != nil {
		return 0, err
	}
	secret, err := key.Open(box, hookPlace(id))
	if err != nil {
		return 0, fmt.Errorf("hook %d: %w", id, err)
	}
	if !github.Signed(string(secret), signature, body) {
		return 0, ErrSignature
	}
	news, ok, err := github.Read(event, body)
	if err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE hooks SET last_at = now() WHERE id = $1`, id); err != nil {
			return fmt.Errorf("hook %d: %w", id, err)
		}
		if !ok {
			return nil
		}
		change, err = noteNews(ctx, tx, news, system)
		return err
	})
	return change, err
}

// noteNews writes what GitHub told. How a deployment ended replaces that it began, and is not replaced by it if that comes late.
func noteNews(ctx context.Context, tx pgx.Tx, news github.News, system string) (id int64, err error) {
	if system == "" {
		system = news.Repository
	}
	n := NewChange{
		At: news.At, Kind: PlainChange, Title: cutLetters(strings.Join(strings.Fields(news.Title), " "), longestChangeTitle), Key: "github/" + news.Key,
		Body: cutLetters(strings.TrimSpace(news.Body), longestChangeBody), System: cutLetters(system, longestChangeSystem), URL: news.URL,
	}
	if checkPageAddress("url", n.URL) != nil {
		n.URL = ""
	}
	if id, err = addChange(ctx, tx, Actor{}, n, FromGitHub, nil); err != nil || !news.Final {
		return id, err
	}
	_, err = tx.Exec(ctx, `UPDATE changes SET at = $2, title = $3, body = $4, url = $5 WHERE id = $1`, id, n.At, n.Title, n.Body, n.URL)
	if err != nil {
		return id, fmt.Errorf("change %d: %w", id, err)
	}
	return id, nil
}

// cutLetters keeps the first letters of a text that is too long.
func cutLetters(text string, most int) string {
	letters := []rune(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD"))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
