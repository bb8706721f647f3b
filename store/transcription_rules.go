package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/speech"
)

// TranscriptionRules are a project's rules for transcripts at one version, or their one draft.
type TranscriptionRules struct {
	ID          int64
	Version     *int         // nil: the draft
	Body        string       // Markdown
	Checks      speech.Rules // what of it is checked while somebody writes
	EditVersion int          // raised by every save of the draft
	EditedBy    string
	EditedAt    time.Time
	PublishedAt *time.Time
}

// rulesLimit is how many characters the text of rules may have.
const rulesLimit = 50_000

// TranscriptionRules returns the published rules of a project, the newest first, and the draft before them if there is one and the
// actor may edit it.
func (s *Store) TranscriptionRules(ctx context.Context, actor Actor, project int64) ([]TranscriptionRules, error) {
	return s.transcriptionRules(ctx, actor, `(r.version IS NOT NULL OR @edits) ORDER BY r.version DESC NULLS FIRST`,
		pgx.NamedArgs{"project": project, "edits": access.Allows(actor.Role, access.EditGuideline)})
}

// PublishedRules returns the newest published rules of a project; they have no Version before the first.
func (s *Store) PublishedRules(ctx context.Context, actor Actor, project int64) (TranscriptionRules, error) {
	list, err := s.transcriptionRules(ctx, actor, `r.version IS NOT NULL ORDER BY r.version DESC LIMIT 1`, pgx.NamedArgs{"project": project})
	if err != nil || len(list) == 0 {
		return TranscriptionRules{}, err
	}
	return list[0], nil
}

func (s *Store) transcriptionRules(ctx context.Context, actor Actor, rest string, args pgx.NamedArgs) ([]TranscriptionRules, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT r.id, r.version, r.body, r.checks, r.edit_version, coalesce(i.name, e.pseudonym, '') AS edited_by, r.edited_at, r.published_at
		FROM transcription_rules r JOIN projects p ON p.id = r.project_id
		LEFT JOIN people e ON e.id = r.edited_by LEFT JOIN person_identities i ON i.person_id = r.edited_by
		WHERE r.project_id = @project AND `+sees+` AND `+rest, actor.args(args))
	if err != nil {
		return nil, fmt.Errorf("transcription rules: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[TranscriptionRules])
	if err != nil {
		return nil, fmt.Errorf("transcription rules: %w", err)
	}
	return list, nil
}

// rulesVersion is the version under which a transcript of the project is written now, nil before the first.
func rulesVersion(ctx context.Context, q querier, project int64) (version *int, err error) {
	if err := q.QueryRow(ctx, `SELECT max(version) FROM transcription_rules WHERE project_id = $1`, project).Scan(&version); err != nil {
		return nil, fmt.Errorf("version of the transcription rules: %w", err)
	}
	return version, nil
}

// changeRules runs change on the rules of an audio project that the actor may edit, locked, and audits it as action.
func (s *Store) changeRules(ctx context.Context, actor Actor, project int64, action string, change func(pgx.Tx) error) error {
	if err := actor.may(access.EditGuideline); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		p, err := lockProject(ctx, tx, actor, project)
		if err != nil {
			return err
		}
		if p.Kind != "audio" {
			return fmt.Errorf("transcription rules of an %s project: %w", p.Kind, ErrNotFound)
		}
		if err := change(tx); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "project", ObjectID: project, ProjectID: project})
	})
}

// SaveRules writes the draft of a project's rules. editVersion is the draft's that was read, 0 if there was none; ErrConflict if it has
// moved on.
func (s *Store) SaveRules(ctx context.Context, actor Actor, project int64, editVersion int, body string, checks speech.Rules) error {
	if field, fault := checks.Fault(); fault != "" {
		return invalid(field, fault)
	}
	if len([]rune(body)) > rulesLimit {
		return invalid("body", fmt.Sprintf("Keep the rules under %d characters.", rulesLimit))
	}
	return s.changeRules(ctx, actor, project, "rules.draft", func(tx pgx.Tx) error {
		if editVersion == 0 {
			_, err := tx.Exec(ctx, `INSERT INTO transcription_rules (project_id, body, checks, edited_by) VALUES ($1, $2, $3, $4)`,
				project, body, checks, orNull(actor.PersonID))
			if violates(err, "transcription_rules_draft_key") {
				return ErrConflict
			}
			if err != nil {
				return fmt.Errorf("begin rules: %w", err)
			}
			return nil
		}
		tag, err := tx.Exec(ctx, `
			UPDATE transcription_rules SET body = $3, checks = $4, edited_by = $5, edited_at = now(), edit_version = edit_version + 1
			WHERE project_id = $1 AND version IS NULL AND edit_version = $2`, project, editVersion, body, checks, orNull(actor.PersonID))
		if err != nil {
			return fmt.Errorf("save rules: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrConflict
		}
		return nil
	})
}

// PublishRules makes the draft, as read at editVersion, the next version of a project's rules and returns that. Answers that were
// written under older ones go back where back says so; else the relabel is 0.
func (s *Store) PublishRules(ctx context.Context, actor Actor, project int64, editVersion int, back SendBack) (version int, relabel int64, err error) {
	if err := back.check(); err != nil {
		return 0, 0, err
	}
	err = s.changeRules(ctx, actor, project, "rules.publish", func(tx pgx.Tx) error {
		var body string
		err := tx.QueryRow(ctx, `
			UPDATE transcription_rules SET published_at = now(),
				version = (SELECT coalesce(max(n.version), 0) + 1 FROM transcription_rules n WHERE n.project_id = $1)
			WHERE project_id = $1 AND version IS NULL AND edit_version = $2 RETURNING version, body`, project, editVersion).Scan(&version, &body)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrConflict
		case err != nil:
			return fmt.Errorf("publish rules: %w", err)
		case strings.TrimSpace(body) == "":
			return invalid("body", "Write down how transcripts are written before publishing it.")
		}
		if _, err = tx.Exec(ctx, `UPDATE projects SET guideline_version = guideline_version + 1 WHERE id = $1`, project); err != nil || !back.All {
			return err
		}
		relabel, err = s.addRelabel(ctx, tx, actor, Class{ProjectID: project}, version, back)
		return err
	})
	return version, relabel, err
}

// SendTranscriptsBack sends answers back that were written under older versions of the rules than the newest, and items to review
// whose truth alone is older.
func (s *Store) SendTranscriptsBack(ctx context.Context, actor Actor, project int64, note string) (relabel int64, err error) {
	back := SendBack{All: true, Note: note}
	if err := back.check(); err != nil {
		return 0, err
	}
	err = s.changeRules(ctx, actor, project, "rules.relabel", func(tx pgx.Tx) error {
		version, err := rulesVersion(ctx, tx, project)
		if err != nil {
			return err
		}
		if version == nil {
			return invalid("", "No rules are published yet, so no transcript is older.")
		}
		relabel, err = s.addRelabel(ctx, tx, actor, Class{ProjectID: project}, *version, back)
		return err
	})
	return relabel, err
}

// DiscardRules throws the draft of a project's rules away; what is published stays.
func (s *Store) DiscardRules(ctx context.Context, actor Actor, project int64) error {
	return s.changeRules(ctx, actor, project, "rules.discard", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM transcription_rules WHERE project_id = $1 AND version IS NULL`, project); err != nil {
			return fmt.Errorf("discard rules: %w", err)
		}
		return nil
	})
}

// RulesCount is how many transcripts were written under one version of the rules.
type RulesCount struct {
	Version int // 0: before any
	Answers int // that count
	Truths  int // that are current
}

// RulesCounts returns under which versions of its rules the transcripts of a project were written, the newest first.
func (s *Store) RulesCounts(ctx context.Context, actor Actor, project int64) ([]RulesCount, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT version, sum(answers)::int AS answers, sum(truths)::int AS truths FROM (
			SELECT coalesce(an.rules_version, 0) AS version, count(*) AS answers, 0::bigint AS truths
			FROM projects p JOIN tasks t ON t.project_id = p.id JOIN annotations an ON an.task_id = t.id JOIN items i ON i.id = an.item_id
			WHERE p.id = @project AND `+sees+` AND `+countsForItem+` GROUP BY 1
			UNION ALL
			SELECT coalesce(u.rules_version, 0), 0, count(*)
			FROM projects p JOIN items i ON i.project_id = p.id AND i.state = 'ready' JOIN truths u ON u.item_id = i.id AND u.current
			WHERE p.id = @project AND `+sees+` GROUP BY 1) n
		GROUP BY version ORDER BY version DESC`, actor.args(pgx.NamedArgs{"project": project}))
	if err != nil {
		return nil, fmt.Errorf("transcripts by rules: %w", err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowToStructByName[RulesCount])
	if err != nil {
		return nil, fmt.Errorf("transcripts by rules: %w", err)
	}
	return counts, nil
}

// StaleTruth is a truth that was written under older rules than the newest.
type StaleTruth struct {
	Item    int64
	Name    string
	Version int // 0: before any
	At      time.Time
}

// StaleTruths lists the truths of a project that were written under older rules, in the order of their items, at most limit of those
// after one.
func (s *Store) StaleTruths(ctx context.Context, actor Actor, project, after int64, limit int) ([]StaleTruth, error) {
	if err := actor.may(access.ReadItems); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT i.id AS item, `+itemName+` AS name, coalesce(u.rules_version, 0) AS version, u.created_at AS at
		FROM projects p JOIN items i ON i.project_id = p.id AND i.state = 'ready' JOIN truths u ON u.item_id = i.id AND u.current
		LEFT JOIN item_texts x ON x.item_id = i.id
		WHERE p.id = @project AND i.id > @after AND `+sees+`
		  AND coalesce(u.rules_version, 0) < (SELECT max(version) FROM transcription_rules WHERE project_id = p.id)
		ORDER BY i.id LIMIT @limit`, actor.args(pgx.NamedArgs{"project": project, "after": after, "limit": limit}))
	if err != nil {
		return nil, fmt.Errorf("truths under older rules: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[StaleTruth])
	if err != nil {
		return nil, fmt.Errorf("truths under older rules: %w", err)
	}
	return list, nil
}
