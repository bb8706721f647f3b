package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
)

// ProjectEdit is a project's settings as a person changed them; nil rules stay as they are. Version is the one that
// they read.
type ProjectEdit struct {
	Name, Description string
	Overlap           int
	LeaseMinutes      int
	AcceptsTruth      bool
	MetadataKeys      []string
	Rules             *AgreementRules
	Sound             *SoundSettings // of a project of sound
	Version           int
}

// metadataKeysMost bounds the allow-list: it is for the few facts that the work needs.
const metadataKeysMost = 50

func (e *ProjectEdit) complete() error {
	n := NewProject{Slug: "a", Name: e.Name, Kind: "image", Overlap: e.Overlap, LeaseMinutes: e.LeaseMinutes, MetadataKeys: e.MetadataKeys, Rules: e.Rules}
	if strings.TrimSpace(e.Name) == "" {
		return invalid("name", "Give the project a name.")
	}
	if err := n.complete(); err != nil {
		return err
	}
	e.Name, e.Description = n.Name, strings.TrimSpace(e.Description)
	e.MetadataKeys = n.MetadataKeys
	return nil
}

// metadataKeys are the keys without blanks and doubles.
func metadataKeys(typed []string) ([]string, error) {
	keys := []string{}
	for _, key := range typed {
		if key = strings.TrimSpace(key); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) > metadataKeysMost {
		return nil, invalid("metadata_keys", fmt.Sprintf("Keep at most %d keys.", metadataKeysMost))
	}
	return keys, nil
}

// UpdateProject changes a project's settings, or returns ErrConflict if somebody else did since
// e.Version was read. What was kept under a key that is taken off the list of metadata is removed by a job.
func (s *Store) UpdateProject(ctx context.Context, actor Actor, id int64, e ProjectEdit) error {
	if err := e.complete(); err != nil {
		return err
	}
	var before int
	err := s.changeProject(ctx, actor, id, "project.update", func(tx pgx.Tx, p Project) error {
		before = p.Overlap
		tag, err := tx.Exec(ctx, `
			UPDATE projects SET name = $3, description = $4, lease_minutes = $5, accepts_truth = $6, metadata_keys = $7, version = version + 1
			WHERE id = $1 AND version = $2`, id, e.Version, e.Name, e.Description, e.LeaseMinutes, e.AcceptsTruth, e.MetadataKeys)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrConflict
		}
		if err := s.dropMetadata(ctx, tx, id, p.MetadataKeys, e.MetadataKeys); err != nil {
			return err
		}
		if e.Sound != nil {
			if err := s.writeSound(ctx, tx, p, *e.Sound); err != nil {
				return err
			}
		}
		if e.Rules == nil {
			return p.AgreementRules.check(e.Overlap)
		}
		return s.writeRules(ctx, tx, p, *e.Rules)
	})
	if err != nil || e.Overlap == before {
		return err
	}
	return s.SetOverlap(ctx, actor, id, e.Overlap)
}

// SetPaused stops a project from handing out work, or lets it go on. What is leased can be finished.
func (s *Store) SetPaused(ctx context.Context, actor Actor, id int64, paused bool) error {
	action := "project.resume"
	if paused {
		action = "project.pause"
	}
	return s.changeProject(ctx, actor, id, action, func(tx pgx.Tx, _ Project) error {
		_, err := tx.Exec(ctx, `UPDATE projects SET paused = $2, version = version + 1 WHERE id = $1 AND paused <> $2`, id, paused)
		return err
	})
}

// ArchiveProject takes a project out of every list and queue. Nothing of it is deleted.
func (s *Store) ArchiveProject(ctx context.Context, actor Actor, id int64) error {
	return s.changeProject(ctx, actor, id, "project.archive", func(tx pgx.Tx, _ Project) error {
		_, err := tx.Exec(ctx, `UPDATE projects SET archived_at = now(), version = version + 1 WHERE id = $1`, id)
		return err
	})
}

// changeProject makes one change to a project that the actor sees, with its audit event.
func (s *Store) changeProject(ctx context.Context, actor Actor, id int64, action string, change func(pgx.Tx, Project) error) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		project, err := projectByID(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		if err := change(tx, project); err != nil {
			return fmt.Errorf("%s %d: %w", action, id, err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "project", ObjectID: id, ProjectID: id})
	})
}

// ArchivedProjects returns the projects that were archived, by name.
func (s *Store) ArchivedProjects(ctx context.Context, actor Actor) ([]Project, error) {
	if err := actor.may(access.EditProjects); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT `+projectColumns+` FROM projects p WHERE p.archived_at IS NOT NULL AND `+sees+` ORDER BY lower(p.name), p.id`,
		actor.args(nil))
	if err != nil {
		return nil, fmt.Errorf("archived projects: %w", err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowToStructByName[Project])
	if err != nil {
		return nil, fmt.Errorf("archived projects: %w", err)
	}
	return projects, nil
}

// RestoreProject brings an archived project back as it was.
func (s *Store) RestoreProject(ctx context.Context, actor Actor, slug string) error {
	if err := actor.may(access.EditProjects); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `UPDATE projects p SET archived_at = NULL, version = version + 1 WHERE p.slug = @slug AND archived_at IS NOT NULL AND `+sees+` RETURNING p.id`,
			actor.args(pgx.NamedArgs{"slug": slug})).Scan(&id)
		if err != nil {
			return fmt.Errorf("restore project: %w", notFound(err))
		}
		return audit(ctx, tx, actor, auditEvent{Action: "project.restore", ObjectType: "project", ObjectID: id, ProjectID: id})
	})
}
