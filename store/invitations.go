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
)

// InvitationDays is how long a link is valid.
const InvitationDays = 7

// InvitationState says what a link is worth.
type InvitationState string

// A link is open until it is used, withdrawn or too old.
const (
	InvitationOpen    InvitationState = "open"
	InvitationUsed    InvitationState = "used"
	InvitationRevoked InvitationState = "revoked"
	InvitationExpired InvitationState = "expired"
)

// Invitation is a link that makes an account with Role, or lets Person choose a new password.
type Invitation struct {
	ID        int64
	Role      access.Role // empty for a link that sets a password
	PersonID  int64       // 0 for a link that makes an account
	Person    string      // that person's name
	Email     string      // and their address
	Projects  []string    // names of those in which the new person will be a member
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time
	State     InvitationState
}

const invitationSelect = `
	SELECT v.id, coalesce(v.role, '') AS role, coalesce(v.person_id, 0) AS person_id,
		coalesce(i.name, p.pseudonym, '') AS person, coalesce(i.email, '') AS email,
		ARRAY(SELECT j.name FROM projects j WHERE j.id = ANY(v.project_ids) AND j.archived_at IS NULL ORDER BY lower(j.name)) AS projects,
		coalesce(bi.name, b.pseudonym, '') AS created_by, v.created_at, v.expires_at,
		CASE WHEN v.used_at IS NOT NULL THEN 'used' WHEN v.revoked_at IS NOT NULL THEN 'revoked'
			WHEN v.expires_at <= now() THEN 'expired' ELSE 'open' END AS state
	FROM invitations v
	LEFT JOIN people p ON p.id = v.person_id LEFT JOIN person_identities i ON i.person_id = p.id
	LEFT JOIN people b ON b.id = v.created_by LEFT JOIN person_identities bi ON bi.person_id = b.id`

// Invite makes a link with which somebody makes their own account, as role and as a member of the
// projects. It returns the link's secret, of which only the hash is kept.
func (s *Store) Invite(ctx context.Context, actor Actor, role access.Role, projects []int64) (secret string, err error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return "", err
	}
	if _, err := access.ParseRole(string(role)); err != nil {
		return "", invalid("role", "Choose a role.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		for _, id := range projects {
			if _, err := projectByID(ctx, tx, actor, id); err != nil {
				return err
			}
		}
		secret, err = addInvitation(ctx, tx, actor, role, 0, projects)
		return err
	})
	return secret, err
}

// InviteToReset makes a link with which a person chooses a new password; earlier ones end. Their
// present password and sessions hold until the link is used.
func (s *Store) InviteToReset(ctx context.Context, actor Actor, personID int64) (secret string, err error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return "", err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := presentRole(ctx, tx, personID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE invitations SET revoked_at = now() WHERE person_id = $1 AND used_at IS NULL AND revoked_at IS NULL`, personID)
		if err != nil {
			return fmt.Errorf("revoke earlier links: %w", err)
		}
		secret, err = addInvitation(ctx, tx, actor, "", personID, nil)
		return err
	})
	return secret, err
}

func addInvitation(ctx context.Context, tx pgx.Tx, actor Actor, role access.Role, personID int64, projects []int64) (string, error) {
	if projects == nil {
		projects = []int64{}
	}
	secret := strings.ToLower(rand.Text())
	var id int64
	err := tx.QueryRow(ctx, `
		INSERT INTO invitations (token_hash, role, person_id, project_ids, created_by, expires_at)
		VALUES ($1, nullif($2, ''), $3, $4, $5, now() + $6 * interval '24 hours') RETURNING id`,
		hashSecret(secret), string(role), orNull(personID), projects, orNull(actor.PersonID), InvitationDays).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("add invitation: %w", err)
	}
	detail := map[string]any{"role": role, "projects": projects}
	if personID != 0 {
		detail = map[string]any{"person": personID}
	}
	return secret, audit(ctx, tx, actor, auditEvent{Action: "invitation.add", ObjectType: "invitation", ObjectID: id, Detail: detail})
}

// OpenInvitations lists the newest links that can still be used.
func (s *Store) OpenInvitations(ctx context.Context, actor Actor, limit int) ([]Invitation, error) {
	if err := actor.may(access.ManagePeople); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, invitationSelect+`
		WHERE v.used_at IS NULL AND v.revoked_at IS NULL AND v.expires_at > now()
		ORDER BY v.id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("invitations: %w", err)
	}
	invitations, err := pgx.CollectRows(rows, pgx.RowToStructByName[Invitation])
	if err != nil {
		return nil, fmt.Errorf("invitations: %w", err)
	}
	return invitations, nil
}

// RevokeInvitation withdraws a link that nobody has used yet.
func (s *Store) RevokeInvitation(ctx context.Context, actor Actor, id int64) error {
	if err := actor.may(access.ManagePeople); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE invitations SET revoked_at = now() WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL`, id)
		if err != nil {
			return fmt.Errorf("revoke invitation %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("revoke invitation %d: %w", id, ErrNotFound)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "invitation.revoke", ObjectType: "invitation", ObjectID: id})
	})
}

// revokeInvitationsBy withdraws the links that a person made: whoever stops being an admin lets
// nobody in any more.
func revokeInvitationsBy(ctx context.Context, tx pgx.Tx, personID int64) error {
	_, err := tx.Exec(ctx, `UPDATE invitations SET revoked_at = now() WHERE created_by = $1 AND used_at IS NULL AND revoked_at IS NULL`, personID)
	if err != nil {
		return fmt.Errorf("revoke invitations by person %d: %w", personID, err)
	}
	return nil
}

// InvitationBySecret returns what the link with this secret is for, whatever its state, or ErrNotFound.
func (s *Store) InvitationBySecret(ctx context.Context, secret string) (Invitation, error) {
	return invitationBySecret(ctx, s.pool, secret)
}

func invitationBySecret(ctx context.Context, q querier, secret string) (Invitation, error) {
	rows, err := q.Query(ctx, invitationSelect+` WHERE v.token_hash = $1`, hashSecret(secret))
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: %w", err)
	}
	invitation, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Invitation])
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: %w", notFound(err))
	}
	return invitation, nil
}

// AcceptInvitation uses a link up: it makes the account that n describes with the link's own role,
// or gives the link's person n.Password. It returns who can sign in now. ErrGone: the link is not
// open any more.
func (s *Store) AcceptInvitation(ctx context.Context, secret string, n NewPerson) (Person, error) {
	invitation, err := s.InvitationBySecret(ctx, secret)
	if err != nil {
		return Person{}, err
	}
	if invitation.State != InvitationOpen {
		return Person{}, fmt.Errorf("invitation %d is %s: %w", invitation.ID, invitation.State, ErrGone)
	}
	if n.Role = invitation.Role; invitation.PersonID == 0 {
		if err := n.complete(); err != nil {
			return Person{}, err
		}
	}
	hash, err := hashPassword(ctx, n.Password)
	if err != nil {
		return Person{}, err
	}
	id := invitation.PersonID
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if id != 0 { // the person before the link, as everyone locks them
			if _, err := presentRole(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := useInvitation(ctx, tx, invitation.ID); err != nil {
			return err
		}
		if id != 0 {
			_, err := setPassword(ctx, tx, Actor{PersonID: id}, id, hash)
			return err
		}
		if id, err = addPerson(ctx, tx, Actor{}, n, hash); err != nil {
			return err
		}
		return joinProjects(ctx, tx, invitation.ID, id)
	})
	if err != nil {
		return Person{}, err
	}
	return s.person(ctx, id)
}

// useInvitation marks the link as used, for the first of those who try at once.
func useInvitation(ctx context.Context, tx pgx.Tx, id int64) error {
	err := tx.QueryRow(ctx, `
		UPDATE invitations SET used_at = now()
		WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now() RETURNING id`, id).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("invitation %d: %w", id, ErrGone)
	}
	if err != nil {
		return fmt.Errorf("use invitation %d: %w", id, err)
	}
	return nil
}

func joinProjects(ctx context.Context, tx pgx.Tx, invitationID, personID int64) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO members (project_id, person_id)
		SELECT j.id, $2 FROM invitations v JOIN projects j ON j.id = ANY(v.project_ids)
		WHERE v.id = $1 AND j.archived_at IS NULL`, invitationID, personID)
	if err != nil {
		return fmt.Errorf("join projects: %w", err)
	}
	return nil
}
