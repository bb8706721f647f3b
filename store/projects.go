package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// Project is a set of items of one kind, labeled under one guideline.
type Project struct {
	ID               int64
	Slug             string
	Name             string
	Description      string
	Kind             string // "image" or "audio"
	Overlap          int    // answers wanted for each item
	LeaseMinutes     int
	AcceptsTruth     bool     // imported truth is taken
	MetadataKeys     []string // what an import keeps of an item's metadata
	GuidelineVersion int
	Paused           bool
	Version          int // raised by every change of the settings
	CreatedAt        time.Time

	AgreementRules
	SoundSettings
}

const projectColumns = `p.id, p.slug, p.name, p.description, p.kind, p.overlap, p.lease_minutes, p.accepts_truth, p.metadata_keys,
	p.guideline_version, p.paused, p.version, p.created_at, ` + ruleColumns + `, ` + soundSettingColumns

// sees is the condition that the actor sees project p; its arguments come from Actor.args.
const sees = `sees_project(p.id, @role, @person, @token, @scope)`

// Project returns the project with this slug, or ErrNotFound if there is none that the actor sees.
func (s *Store) Project(ctx context.Context, actor Actor, slug string) (Project, error) {
	return visibleProject(ctx, s.pool, actor, `p.slug = @key`, slug)
}

// projectByID is Project by id, within a transaction.
func projectByID(ctx context.Context, q querier, actor Actor, id int64) (Project, error) {
	return visibleProject(ctx, q, actor, `p.id = @key`, id)
}

func visibleProject(ctx context.Context, q querier, actor Actor, where string, key any) (Project, error) {
	rows, err := q.Query(ctx, `SELECT `+projectColumns+` FROM projects p WHERE p.archived_at IS NULL AND `+where+` AND `+sees,
		actor.args(pgx.NamedArgs{"key": key}))
	if err != nil {
		return Project{}, fmt.Errorf("project %v: %w", key, err)
	}
	project, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Project])
	if err != nil {
		return Project{}, fmt.Errorf("project %v: %w", key, notFound(err))
	}
	return project, nil
}

// Projects returns every project that the actor sees, by name.
func (s *Store) Projects(ctx context.Context, actor Actor) ([]Project, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+projectColumns+` FROM projects p WHERE p.archived_at IS NULL AND `+sees+` ORDER BY lower(p.name), p.id`,
		actor.args(nil))
	if err != nil {
		return nil, fmt.Errorf("projects: %w", err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByName[Project])
	if err != nil {
		return nil, fmt.Errorf("projects: %w", err)
	}
	return projects, nil
}

// NewProject is what making a project needs. Overlap and LeaseMinutes of 0 take the defaults 1 and 30, rules that
// are nil DefaultAgreementRules.
type NewProject struct {
	Slug, Name, Description, Kind string
	Overlap, LeaseMinutes         int
	AcceptsTruth                  bool
	MetadataKeys                  []string
	Rules                         *AgreementRules
}

var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// slugOf makes a short name of a name: "Hot strip, mill 2" becomes hot-strip-mill-2. It is empty where nothing of
// the name can stand in one.
func slugOf(name string) string {
	slug := strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "-")
	return strings.TrimRight(slug[:min(len(slug), 63)], "-")
}

func (n *NewProject) complete() (err error) {
	if n.MetadataKeys, err = metadataKeys(n.MetadataKeys); err != nil {
		return err
	}
	n.Slug, n.Name = strings.TrimSpace(n.Slug), strings.TrimSpace(n.Name)
	if n.Name == "" {
		n.Name = n.Slug
	}
	if n.Slug == "" {
		n.Slug = slugOf(n.Name)
	}
	if n.Overlap == 0 {
		n.Overlap = 1
	}
	if n.LeaseMinutes == 0 {
		n.LeaseMinutes = 30
	}
	if n.Rules == nil {
		n.Rules = new(DefaultAgreementRules())
	}
	switch {
	case !slugPattern.MatchString(n.Slug):
		return invalid("slug", "Use lower-case letters, digits and hyphens for the short name, at most 63.")
	case n.Kind != "image" && n.Kind != "audio":
		return invalid("kind", "Choose images or audio.")
	case n.Overlap < 1 || n.Overlap > 9:
		return invalid("overlap", "Choose between 1 and 9 answers for each item.")
	case n.LeaseMinutes < 1 || n.LeaseMinutes > 1440:
		return invalid("lease_minutes", "Choose a lease between 1 minute and a day (1440).")
	}
	return n.Rules.check(n.Overlap)
}

// AddProject makes a project, which whoever is bound to one may not, with the secret under which its external keys are hashed. A person who makes it is
// its first member.
func (s *Store) AddProject(ctx context.Context, actor Actor, n NewProject) (Project, error) {
	if err := actor.may(access.EditProjects); err != nil {
		return Project{}, err
	}
	if actor.Scope != 0 {
		return Project{}, fmt.Errorf("add project: bound to project %d: %w", actor.Scope, ErrDenied)
	}
	if err := n.complete(); err != nil {
		return Project{}, err
	}
	var project Project
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // documented never to fail
		var id int64
		err = tx.QueryRow(ctx, `
			INSERT INTO projects (slug, name, description, kind, overlap, lease_minutes, accepts_truth, metadata_keys, key_secret,
				loose_limit, accept_above, look_share, ask_below, overlap_most)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
			n.Slug, n.Name, n.Description, n.Kind, n.Overlap, n.LeaseMinutes, n.AcceptsTruth, n.MetadataKeys, secret,
			n.Rules.LooseLimit, n.Rules.AcceptAbove, n.Rules.LookShare, n.Rules.AskBelow, n.Rules.OverlapMost).Scan(&id)
		if violates(err, "projects_slug_key") {
			return invalid("slug", "There is a project with this short name already.")
		}
		if err != nil {
			return fmt.Errorf("add project: %w", err)
		}
		if project, err = projectByID(ctx, tx, System(), id); err != nil {
			return err
		}
		err = audit(ctx, tx, actor, auditEvent{Action: "project.add", ObjectType: "project", ObjectID: id, ProjectID: id})
		if err != nil || actor.PersonID == 0 {
			return err
		}
		return addMember(ctx, tx, actor, id, actor.PersonID)
	})
	return project, err
}

// AddMember lets a person into a project; it does nothing if they are in it already.
func (s *Store) AddMember(ctx context.Context, actor Actor, projectID, personID int64) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := projectByID(ctx, tx, actor, projectID); err != nil {
			return err
		}
		return addMember(ctx, tx, actor, projectID, personID)
	})
}

func addMember(ctx context.Context, tx pgx.Tx, actor Actor, project, person int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO members (project_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, project, person)
	if violates(err, "members_person_id_fkey") {
		return fmt.Errorf("member %d: %w", person, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("add member: %w", err)
	}
	return audit(ctx, tx, actor, auditEvent{Action: "member.add", ObjectType: "person", ObjectID: person, ProjectID: project})
}
