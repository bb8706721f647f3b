package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/store/blob"
)

// The states of an access request.
const (
	AccessQueued  = "queued"
	AccessRunning = "running"
	AccessDone    = "done"
	AccessFailed  = "failed"
	AccessDeleted = "deleted" // a week has passed, something in it was erased, or the person left
)

const (
	// accessKept is how long an archive of what is held waits to be taken away.
	accessKept = 7 * 24 * time.Hour
	// accessDueDays is in how many days an answer is due when nobody says otherwise: GDPR, Art. 12(3), gives a month.
	accessDueDays = 30
)

// AccessRequest is one request for what is held on a source, or on a person.
type AccessRequest struct {
	ID         int64
	SourceID   int64 // 0: of a person
	PersonID   int64 // 0: of a source
	Subject    string
	Media      bool // with the original images
	DueOn      time.Time
	Overdue    bool // the day has passed, and nobody took the archive away
	State      string
	Error      string // why it failed, in a sentence
	Records    int64  // written so far
	Bytes      int64
	SHA256     []byte // of the archive; nil until it is done
	CreatedBy  string // a name or a pseudonym, or a token's name
	CreatedAt  time.Time
	FinishedAt *time.Time
	FetchedAt  *time.Time // first taken away
	Mine       bool       // the actor may take it away
}

// Blob is the key of the archive in object storage.
func (a *AccessRequest) Blob() string { return fmt.Sprintf("access/%d", a.ID) }

// KeptUntil is when the archive is deleted, the zero time if there is none.
func (a *AccessRequest) KeptUntil() time.Time {
	if a.State != AccessDone || a.FinishedAt == nil {
		return time.Time{}
	}
	return a.FinishedAt.Add(accessKept)
}

// What is held on a person is handed to that person, and to the admin who asked for it; what is held on a source to every admin.
const takesAway = `CASE WHEN a.source_id IS NOT NULL THEN @admin
	ELSE a.person_id = @person OR @admin AND (a.created_by = @person OR a.token_id = @token) END`

const accessColumns = `a.id, coalesce(a.source_id, 0) AS source_id, coalesce(a.person_id, 0) AS person_id,
	coalesce(s.name, si.name, sp.pseudonym, '') AS subject, a.media, a.due_on,
	a.due_on < (now() AT TIME ZONE 'UTC')::date AND a.fetched_at IS NULL AND a.state <> 'deleted' AS overdue, a.state, a.error, a.records, coalesce(a.bytes, 0) AS bytes, a.sha256,
	coalesce(ci.name, cp.pseudonym, t.name, '') AS created_by, a.created_at, a.finished_at, a.fetched_at, coalesce(` + takesAway + `, false) AS mine`

const accessTables = `access_requests a LEFT JOIN sources s ON s.id = a.source_id
	LEFT JOIN people sp ON sp.id = a.person_id LEFT JOIN person_identities si ON si.person_id = a.person_id
	LEFT JOIN people cp ON cp.id = a.created_by LEFT JOIN person_identities ci ON ci.person_id = a.created_by LEFT JOIN api_tokens t ON t.id = a.token_id`

// knowsOf is the condition that the actor is told of request a: a person of their own, an admin of all.
const knowsOf = `(@admin OR a.person_id = @person)`

func accessWhere(ctx context.Context, q querier, actor Actor, where string, args pgx.NamedArgs) ([]AccessRequest, error) {
	all := actor.args(args)
	all["admin"] = actor.Allowed(access.ManageSources) && actor.Allowed(access.ManagePeople)
	requests, err := collect[AccessRequest](ctx, q, `SELECT `+accessColumns+` FROM `+accessTables+` WHERE `+knowsOf+` AND `+where, all)
	if err != nil {
		return nil, fmt.Errorf("access requests: %w", err)
	}
	return requests, nil
}

// AccessRequests returns the requests of which the actor is told, the newest first, at most limit of those with ids below one: of a
// source, of a person, or of all for 0.
func (s *Store) AccessRequests(ctx context.Context, actor Actor, source, person, before int64, limit int) ([]AccessRequest, error) {
	if err := actor.may(access.SignedIn); err != nil {
		return nil, err
	}
	where := `(@of_source::bigint = 0 OR a.source_id = @of_source) AND (@of_person::bigint = 0 OR a.person_id = @of_person) AND a.id < @before ORDER BY a.id DESC LIMIT @limit`
	return accessWhere(ctx, s.pool, actor, where, pgx.NamedArgs{"of_source": source, "of_person": person, "before": before, "limit": limit})
}

// AccessRequest returns one request, or ErrNotFound if the actor is not told of it.
func (s *Store) AccessRequest(ctx context.Context, actor Actor, id int64) (AccessRequest, error) {
	if err := actor.may(access.SignedIn); err != nil {
		return AccessRequest{}, err
	}
	requests, err := accessWhere(ctx, s.pool, actor, `a.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return AccessRequest{}, err
	}
	if len(requests) == 0 {
		return AccessRequest{}, fmt.Errorf("access request %d: %w", id, ErrNotFound)
	}
	return requests[0], nil
}

// NewAccess asks for what is held on a source, or on a person.
type NewAccess struct {
	SourceID, PersonID int64     // one of them
	Media              bool      // with the original images of a source
	DueOn              time.Time // when it is to be answered; the zero time for 30 days from today
}

// AddAccess has a job write what is held on a source, or on a person: everybody asks that of themselves, admins of others. One that
// is on its way already is not asked for twice.
func (s *Store) AddAccess(ctx context.Context, actor Actor, n NewAccess) (request AccessRequest, err error) {
	action := access.ManageSources
	if n.PersonID != 0 {
		n.Media = false
		if action = access.ManagePeople; n.PersonID == actor.PersonID {
			action = access.Account
		}
	}
	if err := actor.may(action); err != nil {
		return AccessRequest{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := lockSubject(ctx, tx, n); err != nil {
			return err
		}
		where := `(a.source_id = @of_source OR a.person_id = @of_person) AND a.media = @media AND a.state IN ('queued', 'running') AND coalesce(` + takesAway + `, false)`
		args := pgx.NamedArgs{"of_source": orNull(n.SourceID), "of_person": orNull(n.PersonID), "media": n.Media}
		waiting, err := accessWhere(ctx, tx, actor, where, args)
		if err != nil {
			return err
		}
		if len(waiting) > 0 {
			request = waiting[0]
			return nil
		}
		request, err = s.insertAccess(ctx, tx, actor, n)
		return err
	})
	return request, err
}

// lockSubject makes two who ask at once wait for each other, and refuses what is not there.
func lockSubject(ctx context.Context, tx pgx.Tx, n NewAccess) error {
	query, id := `SELECT id FROM sources WHERE id = $1 FOR NO KEY UPDATE`, n.SourceID
	if n.PersonID != 0 {
		query, id = `SELECT id FROM people WHERE id = $1 AND left_at IS NULL FOR NO KEY UPDATE`, n.PersonID
	}
	if err := tx.QueryRow(ctx, query, id).Scan(&id); err != nil {
		return fmt.Errorf("subject of access: %w", notFound(err))
	}
	return nil
}

func (s *Store) insertAccess(ctx context.Context, tx pgx.Tx, actor Actor, n NewAccess) (AccessRequest, error) {
	var id int64
	var due *time.Time
	if !n.DueOn.IsZero() {
		due = &n.DueOn
	}
	err := tx.QueryRow(ctx, `
		INSERT INTO access_requests (source_id, person_id, media, due_on, created_by, token_id)
		VALUES ($1, $2, $3, coalesce($4::date, (now() AT TIME ZONE 'UTC')::date + $5::int), $6, $7) RETURNING id`,
		orNull(n.SourceID), orNull(n.PersonID), n.Media, due, accessDueDays, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return AccessRequest{}, fmt.Errorf("add access request: %w", err)
	}
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.WriteAccess{RequestID: id}, nil); err != nil {
		return AccessRequest{}, fmt.Errorf("enqueue access request %d: %w", id, err)
	}
	err = audit(ctx, tx, actor, auditEvent{
		Action: "access.add", ObjectType: "access_request", ObjectID: id,
		Detail: map[string]any{"source": n.SourceID, "person": n.PersonID, "media": n.Media},
	})
	if err != nil {
		return AccessRequest{}, err
	}
	requests, err := accessWhere(ctx, tx, actor, `a.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return AccessRequest{}, err
	}
	return requests[0], nil
}

// TakeAccess notes that the actor takes the archive away, and opens it; the caller closes it. It returns ErrDenied for who may know of
// it and not have it, ErrGone for an archive that was deleted, and ErrNotFound for one that is not done.
func (s *Store) TakeAccess(ctx context.Context, actor Actor, id int64) (request AccessRequest, archive *blob.Object, err error) {
	request, err = s.AccessRequest(ctx, actor, id)
	switch {
	case err != nil:
		return request, nil, err
	case !request.Mine:
		return request, nil, fmt.Errorf("access request %d: %w", id, ErrDenied)
	case request.State == AccessDeleted:
		return request, nil, fmt.Errorf("access request %d: %w", id, ErrGone)
	case request.State != AccessDone:
		return request, nil, fmt.Errorf("access request %d is %s: %w", id, request.State, ErrNotFound)
	}
	archive, err = s.blobs.Get(ctx, request.Blob())
	if err != nil {
		return request, nil, fmt.Errorf("access request %d: %w", id, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// A deletion that went on meanwhile has the last word.
		tag, err := tx.Exec(ctx, `UPDATE access_requests SET fetched_at = coalesce(fetched_at, now()) WHERE id = $1 AND state = 'done'`, id)
		if err != nil {
			return fmt.Errorf("access request %d: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return fmt.Errorf("access request %d: %w", id, ErrGone)
		}
		return audit(ctx, tx, actor, auditEvent{Action: "access.download", ObjectType: "access_request", ObjectID: id})
	})
	if err != nil {
		return request, nil, errors.Join(err, archive.Close())
	}
	return request, archive, nil
}
