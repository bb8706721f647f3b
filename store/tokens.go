package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

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
}

// AddToken makes an API token and returns its secret, which is not kept: only its hash is. The
// secret has 130 random bits, so a plain SHA-256 cannot be guessed back.
func (s *Store) AddToken(ctx context.Context, actor Actor, n NewToken) (id int64, secret string, err error) {
	if err := actor.may(access.ManageTokens); err != nil {
		return 0, "", err
	}
	if n.Name = strings.TrimSpace(n.Name); n.Name == "" {
		return 0, "", invalid("name", "Give the token a name that says what uses it.")
	}
	secret = tokenPrefix + strings.ToLower(rand.Text())
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO api_tokens (name, token_hash, role, project_id, created_by)
			VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			n.Name, hashSecret(secret), n.Role, orNull(n.Project), orNull(actor.PersonID)).Scan(&id)
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
