package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// tokenPrefix lets secret scanners recognise a token that leaked.
const tokenPrefix = "fid_"

// NewToken is what making an API token needs.
type NewToken struct {
	Name    string
	Role    access.Role
	Project int64 // the only project that it reaches; 0 for all

	ExpiresAt time.Time // zero: it holds until it is revoked
}

func (n *NewToken) complete() error {
	if n.Name = strings.TrimSpace(n.Name); n.Name == "" || len(n.Name) > maxName {
		return invalid("name", "Give the token a name that says what uses it, of at most 200 letters.")
	}
	if _, err := access.ParseRole(string(n.Role)); err != nil {
		return invalid("role", "Choose a role.")
	}
	if !n.ExpiresAt.IsZero() && n.ExpiresAt.Before(time.Now()) {
		return invalid("expires", "Choose a day in the future.")
	}
	return nil
}

// AddToken makes an API token and returns its secret, which is not kept: only its hash is. The
// secret has 130 random bits, so a plain SHA-256 cannot be guessed back.
func (s *Store) AddToken(ctx context.Context, actor Actor, n NewToken) (id int64, secret string, err error) {
	if err := actor.may(access.ManageTokens); err != nil {
		return 0, "", err
	}
	if err := n.complete(); err != nil {
		return 0, "", err
	}
	secret = tokenPrefix + strings.ToLower(rand.Text())
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if n.Project != 0 {
			if _, err := projectByID(ctx, tx, actor, n.Project); err != nil {
				return err
			}
		}
		err := tx.QueryRow(ctx, `
			INSERT INTO api_tokens (name, token_hash, role, project_id, created_by, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			n.Name, hashSecret(secret), n.Role, orNull(n.Project), orNull(actor.PersonID), timeOrNull(n.ExpiresAt)).Scan(&id)
		if err != nil {
			return fmt.Errorf("add token: %w", err)
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "token.add", ObjectType: "token", ObjectID: id, ProjectID: n.Project, Detail: map[string]any{"role": n.Role},
		})
	})
	return id, secret, err
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// timeOrNull is how an absent time is written to the database.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// TokenFilter selects API tokens; its zero value is all of them.
type TokenFilter struct {
	CreatedBy int64 // the person who made them
	Before    int64 // those with a smaller id
	Limit     int
}

// Token is an API token in a list; its secret is known to nobody.
type Token struct {
	ID          int64
	Name        string
	Role        access.Role
	Project     string // name of the only project that it reaches; empty for all
	CreatedByID int64  // 0 if the command line made it
	CreatedBy   string
	CreatedAt   time.Time
	ExpiresAt   *time.Time
	LastUsedAt  *time.Time
	RevokedAt   *time.Time
	Expired     bool
}

// Works reports whether the token opens anything.
func (t Token) Works() bool { return t.RevokedAt == nil && !t.Expired }

// Tokens lists API tokens, newest first.
func (s *Store) Tokens(ctx context.Context, actor Actor, f TokenFilter) ([]Token, error) {
	if err := actor.may(access.ManageTokens); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT t.id, t.name, t.role, coalesce(j.name, '') AS project, coalesce(t.created_by, 0) AS created_by_id,
			coalesce(i.name, p.pseudonym, '') AS created_by, t.created_at, t.expires_at, t.last_used_at, t.revoked_at,
			coalesce(t.expires_at <= now(), false) AS expired
		FROM api_tokens t
		LEFT JOIN projects j ON j.id = t.project_id
		LEFT JOIN people p ON p.id = t.created_by LEFT JOIN person_identities i ON i.person_id = p.id
		WHERE ($1::bigint = 0 OR t.created_by = $1) AND ($2::bigint = 0 OR t.id < $2)
		ORDER BY t.id DESC LIMIT $3`, f.CreatedBy, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	tokens, err := pgx.CollectRows(rows, pgx.RowToStructByName[Token])
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return tokens, nil
}

// RevokeToken ends an API token at once.
func (s *Store) RevokeToken(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.ManageTokens); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var project int64
		err := tx.QueryRow(ctx, `
			UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING coalesce(project_id, 0)`, id).Scan(&project)
		if err != nil {
			return fmt.Errorf("revoke token %d: %w", id, notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "token.revoke", ObjectType: "token", ObjectID: id, ProjectID: project})
	})
}

// TokenActor returns the actor behind an API token's secret, or ErrNotFound if it is unknown, revoked
// or expired. It notes the use, at most once a minute.
func (s *Store) TokenActor(ctx context.Context, secret string) (Actor, error) {
	rows, err := s.pool.Query(ctx, `
		WITH t AS (
			SELECT id, role, coalesce(project_id, 0) AS scope, last_used_at FROM api_tokens
			WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
		), used AS (
			UPDATE api_tokens a SET last_used_at = now() FROM t
			WHERE a.id = t.id AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute')
		)
		SELECT id, role, scope FROM t`, hashSecret(secret))
	if err != nil {
		return Actor{}, fmt.Errorf("token: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[struct {
		ID    int64
		Role  access.Role
		Scope int64
	}])
	if err != nil {
		return Actor{}, fmt.Errorf("token: %w", notFound(err))
	}
	return Actor{TokenID: t.ID, Role: t.Role, Scope: t.Scope}, nil
}
