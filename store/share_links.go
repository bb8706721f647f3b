package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// sharePrefix lets secret scanners recognise a link that leaked.
const sharePrefix = "fidshare_"

// longestShare is how long a link to a chain's overview may hold.
const longestShare = 90 * 24 * time.Hour

// ShareLink is a link to a chain's overview, for whoever has it. Its secret is known to nobody.
type ShareLink struct {
	ID        int64
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt *time.Time
	Expired   bool
	Opened    int
	LastAt    *time.Time
}

// Works reports whether the link opens anything.
func (l ShareLink) Works() bool { return l.RevokedAt == nil && !l.Expired }

// ShareChain makes a link to the overview of a chain that holds for so many days, and returns its secret, of which only the hash is kept. What
// the link shows is what its maker sees: it stops working when they leave or may not share any more.
func (s *Store) ShareChain(ctx context.Context, actor Actor, chain int64, days int) (secret string, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return "", err
	}
	if actor.PersonID == 0 {
		return "", invalid("days", "A link belongs to a person. Sign in to make one.")
	}
	if days < 1 || days > int(longestShare/(24*time.Hour)) {
		return "", invalid("days", "Let the link hold for 1 to 90 days.")
	}
	secret = sharePrefix + strings.ToLower(rand.Text())
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `
			INSERT INTO share_links (token_hash, chain_id, created_by, expires_at)
			SELECT $1, c.id, $3, now() + $4 * interval '1 day' FROM chains c WHERE c.id = $2 RETURNING id`,
			hashSecret(secret), chain, actor.PersonID, days).Scan(&id)
		if err != nil {
			return fmt.Errorf("share chain %d: %w", chain, notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "chain.share", ObjectType: "chain", ObjectID: chain, Detail: map[string]any{"link": id, "days": days}})
	})
	return secret, err
}

// ShareLinks lists the links to a chain's overview, the newest first.
func (s *Store) ShareLinks(ctx context.Context, actor Actor, chain int64) ([]ShareLink, error) {
	if err := actor.may(access.EditChains); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT l.id, coalesce(n.name, p.pseudonym, '') AS created_by, l.created_at, l.expires_at, l.revoked_at, l.expires_at <= now() AS expired, l.opened, l.last_at
		FROM share_links l LEFT JOIN people p ON p.id = l.created_by LEFT JOIN person_identities n ON n.person_id = l.created_by
		WHERE l.chain_id = $1 ORDER BY l.id DESC LIMIT 50`, chain)
	if err != nil {
		return nil, fmt.Errorf("links to chain %d: %w", chain, err)
	}
	links, err := pgx.CollectRows(rows, pgx.RowToStructByName[ShareLink])
	if err != nil {
		return nil, fmt.Errorf("links to chain %d: %w", chain, err)
	}
	return links, nil
}

// RevokeShare ends a link at once, and returns the chain that it led to.
func (s *Store) RevokeShare(ctx context.Context, actor Actor, id int64) (chain int64, err error) {
	if err := actor.may(access.EditChains); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `UPDATE share_links SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING chain_id`, id).Scan(&chain)
		if err != nil {
			return fmt.Errorf("revoke link %d: %w", id, notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "chain.unshare", ObjectType: "chain", ObjectID: chain, Detail: map[string]any{"link": id}})
	})
	return chain, err
}

// Shared returns what a link's secret leads to: the chain, as whom it is read, and until when. It is read as its maker, so that it shows nothing
// that they do not see; of what they may do nothing but reading figures is to be done for it. ErrNotFound if it is unknown, revoked or expired, or its maker may not share any more. It counts the opening.
func (s *Store) Shared(ctx context.Context, secret string) (chain int64, reader Actor, until time.Time, err error) {
	rows, err := s.pool.Query(ctx, `
		UPDATE share_links l SET opened = l.opened + 1, last_at = now() FROM people p
		WHERE l.token_hash = $1 AND l.revoked_at IS NULL AND l.expires_at > now() AND p.id = l.created_by AND p.left_at IS NULL
		RETURNING l.chain_id, l.expires_at, p.id, p.role`, hashSecret(secret))
	if err != nil {
		return 0, Actor{}, until, fmt.Errorf("shared: %w", err)
	}
	link, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[struct {
		Chain  int64
		Until  time.Time
		Person int64
		Role   access.Role
	}])
	if err != nil {
		return 0, Actor{}, until, fmt.Errorf("shared: %w", notFound(err))
	}
	if !access.Allows(link.Role, access.EditChains) {
		return 0, Actor{}, until, fmt.Errorf("shared: %w", ErrNotFound)
	}
	return link.Chain, Actor{PersonID: link.Person, Role: link.Role}, link.Until, nil
}
