package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
)

// The formats that can be imported, what for, and the states of an import.
const (
	FormatImages = "images"
	FormatCOCO   = "coco"
	FormatVOC    = "voc"
	FormatYOLO   = "yolo"
	FormatCVAT   = "cvat"
	// FormatLabelStudio is Label Studio's own JSON.
	FormatLabelStudio = "labelstudio"

	// FormatAudio and those after it are of projects of sound.
	FormatAudio      = "audio"
	FormatNeMo       = "nemo"
	FormatCTM        = "ctm"
	FormatSTM        = "stm"
	FormatVTT        = "vtt"
	FormatSRT        = "srt"
	FormatTextGrid   = "textgrid"
	FormatHypotheses = "hypotheses"

	PurposeMedia      = "media"
	PurposeTruth      = "truth"
	PurposePrefill    = "prefill"
	PurposePrediction = "prediction"

	ImportUploading = "uploading"
	ImportQueued    = "queued"
	ImportRunning   = "running"
	ImportDone      = "done"
	ImportFailed    = "failed"
	ImportCancelled = "cancelled"
)

// importFormats lists what can be imported, by the kind of the project.
var importFormats = map[string][]string{
	"image": {FormatImages, FormatCOCO, FormatVOC, FormatYOLO, FormatCVAT, FormatLabelStudio},
	"audio": {FormatAudio, FormatNeMo, FormatCTM, FormatSTM, FormatVTT, FormatSRT, FormatTextGrid, FormatLabelStudio, FormatHypotheses},
}

// What becomes an item of a transcript that has several segments.
const (
	PerRecording = "recording"
	PerSegment   = "segment"
)

// ImportOptions are the choices of an import that change how its files are read.
type ImportOptions struct {
	VOCBase int    `json:"voc_base"`           // 1: corners are counted from 1 and inclusive; 0: plain coordinates
	GroupBy string `json:"group_by,omitempty"` // how items fall into groups, which stay on one side of a split; "" for no groups
	// GroupPattern is the regular expression of GroupByName: its first group is the item's, or else all that it finds.
	GroupPattern string `json:"group_pattern,omitempty"`
	// Per says what becomes an item of a transcript with segments: the recording, which is what "" means, or each segment.
	Per        string `json:"per,omitempty"`
	AddClasses bool   `json:"add_classes"` // classes that the project lacks are added; else what names them is refused
	// AllowErased lets keys come in again whose items were erased: the customer came back, or a wrong item was erased. Whoever imports says
	// so for this import alone, and the audit log keeps it; otherwise the next delivery of a folder would undo an erasure.
	AllowErased bool   `json:"allow_erased,omitempty"`
	DryRun      bool   `json:"dry_run"`          // everything is checked and nothing changed
	Source      string `json:"source,omitempty"` // of a dry run: the source that would be made
}

// Import is one bringing in of files, from their upload to the result of each.
type Import struct {
	ID         int64
	ProjectID  int64
	Project    string // its slug
	Kind       string // of the project
	Format     string
	Purpose    string
	Model      string // NAME@VERSION, or ""
	SourceID   int64
	Source     string
	Options    ImportOptions
	State      string
	Error      string   // why it failed, for people
	Expected   int      // records found so far; 0 while unknown
	NewClasses []string // the classes that it added, or would add if it is a dry run
	CreatedAt  time.Time
	FinishedAt *time.Time

	modelVersion int64
}

// Open tells whether files can still come, or the import is at work.
func (i Import) Open() bool {
	return i.State == ImportUploading || i.State == ImportQueued || i.State == ImportRunning
}

const importColumns = `i.id, i.project_id, p.slug, p.kind, i.format, i.purpose, coalesce(m.name || '@' || v.version, ''), coalesce(i.source_id, 0),
	coalesce(s.name, i.options->>'source', ''), i.options, i.state, i.error, i.expected, i.new_classes, i.created_at, i.finished_at, coalesce(i.model_version_id, 0)`

const importTables = `imports i JOIN projects p ON p.id = i.project_id LEFT JOIN sources s ON s.id = i.source_id
	LEFT JOIN model_versions v ON v.id = i.model_version_id LEFT JOIN models m ON m.id = v.model_id`

func scanImport(row pgx.CollectableRow) (i Import, err error) {
	err = row.Scan(&i.ID, &i.ProjectID, &i.Project, &i.Kind, &i.Format, &i.Purpose, &i.Model, &i.SourceID, &i.Source,
		&i.Options, &i.State, &i.Error, &i.Expected, &i.NewClasses, &i.CreatedAt, &i.FinishedAt, &i.modelVersion)
	return i, err
}

// NewImport is what beginning an import needs. Source is the name of a source, made if it is missing;
// empty, it is the project's own name. Model is NAME@VERSION.
type NewImport struct {
	Format, Purpose, Model, Source string
	Options                        ImportOptions
}

func (n *NewImport) check(project Project) error {
	n.Source, n.Model = strings.TrimSpace(n.Source), strings.TrimSpace(n.Model)
	if n.Source == "" {
		n.Source = project.Name
	}
	switch {
	case !slices.Contains(importFormats[project.Kind], n.Format):
		return invalid("format", "This is a project of "+kindWord(project.Kind)+". Choose one of "+strings.Join(importFormats[project.Kind], ", ")+".")
	case n.Purpose != PurposeMedia && n.Purpose != PurposeTruth && n.Purpose != PurposePrefill && n.Purpose != PurposePrediction:
		return invalid("purpose", "Choose media, truth, prefill or prediction.")
	case n.Format == FormatImages && n.Purpose != PurposeMedia:
		return invalid("purpose", "Images alone hold no labels: import them as media, or choose the format of the labels.")
	case n.Format == FormatAudio && n.Purpose != PurposeMedia:
		return invalid("purpose", "Recordings alone hold no text: import them as media, or choose the format of what was written down.")
	case n.Format == FormatHypotheses && n.Purpose != PurposePrefill && n.Purpose != PurposePrediction:
		return invalid("purpose", "Hypotheses are what a model heard: import them as predictions, or as prefill.")
	case n.Format == FormatHypotheses && n.Model == "":
		return invalid("model", "Say which model version heard this, as NAME@VERSION.")
	case n.Purpose == PurposeTruth && !project.AcceptsTruth:
		return invalid("purpose", "This project takes no imported truth. An admin can allow it in the project's settings.")
	case n.Purpose == PurposePrediction && n.Model == "":
		return invalid("model", "Say which model version predicted this, as NAME@VERSION.")
	case n.Model != "" && n.Purpose != PurposePrediction && n.Purpose != PurposePrefill:
		return invalid("model", "A model belongs to predictions and prefills only.")
	case n.Options.VOCBase != 0 && n.Options.VOCBase != 1:
		return invalid("voc_base", "Pascal VOC counts corners from 0 or from 1.")
	case n.Options.Per != "" && n.Options.Per != PerRecording && n.Options.Per != PerSegment:
		return invalid("per", "Make an item of each recording or of each segment.")
	case n.Options.Per == PerSegment && !HasSegments(n.Format):
		return invalid("per", "This format has no segments to make items of: leave it at recording.")
	}
	return n.Options.checkGroups()
}

// kindWord is what a project of this kind holds.
func kindWord(kind string) string {
	if kind == "audio" {
		return "recordings"
	}
	return "images"
}

// HasSegments tells whether a file of this format may hold several segments of one recording.
func HasSegments(format string) bool {
	switch format {
	case FormatCTM, FormatSTM, FormatVTT, FormatSRT, FormatTextGrid, FormatLabelStudio:
		return true
	}
	return false
}

// AddImport begins an import into the project with this slug; its files are to be uploaded next.
func (s *Store) AddImport(ctx context.Context, actor Actor, slug string, n NewImport) (added Import, err error) {
	if err := actor.may(access.Import); err != nil {
		return Import{}, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		project, err := visibleProject(ctx, tx, actor, `p.slug = @key`, slug)
		if err != nil {
			return err
		}
		if err := n.check(project); err != nil {
			return err
		}
		source, err := importSource(ctx, tx, actor, &n)
		if err != nil {
			return err
		}
		version, err := importModel(ctx, tx, n.Model, project.Kind)
		if err != nil {
			return err
		}
		var id int64
		err = tx.QueryRow(ctx, `
			INSERT INTO imports (project_id, person_id, token_id, format, purpose, model_version_id, source_id, options)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			project.ID, orNull(actor.PersonID), orNull(actor.TokenID), n.Format, n.Purpose, version, orNull(source), n.Options).Scan(&id)
		if err != nil {
			return fmt.Errorf("add import: %w", err)
		}
		if added, err = visibleImport(ctx, tx, actor, id); err != nil {
			return err
		}
		return audit(ctx, tx, actor, auditEvent{
			Action: "import.add", ObjectType: "import", ObjectID: id, ProjectID: project.ID,
			Detail: map[string]any{"format": n.Format, "purpose": n.Purpose, "allow_erased": n.Options.AllowErased},
		})
	})
	return added, err
}

// importSource finds the source of an import, or makes it: a source belongs to no project, so that a token
// that is bound to one must name what is there. A dry run makes none: then the id is 0, and n keeps the name.
func importSource(ctx context.Context, tx pgx.Tx, actor Actor, n *NewImport) (id int64, err error) {
	name := n.Source
	n.Options.Source = ""
	err = tx.QueryRow(ctx, `SELECT id FROM sources WHERE name = $1`, name).Scan(&id)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, err
	}
	if actor.Scope != 0 || actor.may(access.ManageSources) != nil {
		return 0, invalid("source", "There is no source of that name. An admin of the installation can make it.")
	}
	if n.Options.DryRun {
		n.Options.Source = name
		return 0, nil
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO sources (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name RETURNING id`, name).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add source: %w", err)
	}
	return id, audit(ctx, tx, actor, auditEvent{Action: "source.add", ObjectType: "source", ObjectID: id})
}

// importModel finds NAME@VERSION for a project of this kind; nil for the empty name.
func importModel(ctx context.Context, q querier, model, kind string) (*int64, error) {
	if model == "" {
		return nil, nil
	}
	name, version, _ := strings.Cut(model, "@")
	var id int64
	var is string
	err := q.QueryRow(ctx, `
		SELECT v.id, m.kind FROM model_versions v JOIN models m ON m.id = v.model_id WHERE m.name = $1 AND v.version = $2`, name, version).Scan(&id, &is)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, invalid("model", "There is no model version of that name. Have an admin register it under Models, or by “fiducial model release NAME@VERSION”.")
	}
	if err != nil {
		return nil, fmt.Errorf("model version: %w", err)
	}
	if kind == "audio" && is != "asr" {
		return nil, invalid("model", "This model is of kind "+is+", and what is heard comes from one of kind asr. Choose another.")
	}
	return &id, nil
}

// Import returns one import, or ErrNotFound if there is none that the actor sees.
func (s *Store) Import(ctx context.Context, actor Actor, id int64) (Import, error) {
	if err := actor.may(access.Import); err != nil {
		return Import{}, err
	}
	return visibleImport(ctx, s.pool, actor, id)
}

func visibleImport(ctx context.Context, q querier, actor Actor, id int64) (Import, error) {
	rows, err := q.Query(ctx, `SELECT `+importColumns+` FROM `+importTables+` WHERE i.id = @id AND p.archived_at IS NULL AND `+sees,
		actor.args(pgx.NamedArgs{"id": id}))
	if err != nil {
		return Import{}, fmt.Errorf("import %d: %w", id, err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanImport)
	if err != nil {
		return Import{}, fmt.Errorf("import %d: %w", id, notFound(err))
	}
	return found, nil
}

// Imports returns up to limit imports of a project, newest first; before is the id of the last one
// that was seen, 0 at the start.
func (s *Store) Imports(ctx context.Context, actor Actor, slug string, before int64, limit int) ([]Import, error) {
	if err := actor.may(access.Import); err != nil {
		return nil, err
	}
	project, err := s.Project(ctx, actor, slug)
	if err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+importColumns+` FROM `+importTables+`
		WHERE i.project_id = $1 AND ($2::bigint = 0 OR i.id < $2) ORDER BY i.id DESC LIMIT $3`, project.ID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("imports of %s: %w", slug, err)
	}
	imports, err := pgx.CollectRows(rows, scanImport)
	if err != nil {
		return nil, fmt.Errorf("imports of %s: %w", slug, err)
	}
	return imports, nil
}

// StartImport hands an import whose files have all arrived to a background job.
func (s *Store) StartImport(ctx context.Context, actor Actor, id int64) error {
	return s.changeImport(ctx, actor, id, "import.start", func(tx pgx.Tx, i Import) error {
		if i.State == ImportQueued || i.State == ImportRunning || i.State == ImportDone {
			return nil // a start that was sent again
		}
		if i.State != ImportUploading {
			return invalid("", "This import has ended. Begin a new one.")
		}
		progress, err := uploadProgress(ctx, tx, id)
		if err != nil {
			return err
		}
		if progress.Files == 0 {
			return invalid("files", "Nothing has been uploaded yet. Choose the files to import.")
		}
		if missing := progress.Files - progress.Complete; missing > 0 {
			return invalid("files", fmt.Sprintf("%d of %d files have not arrived yet. Choose them again, or cancel the import.", missing, progress.Files))
		}
		if _, err := tx.Exec(ctx, `UPDATE imports SET state = 'queued' WHERE id = $1`, id); err != nil {
			return fmt.Errorf("start: %w", err)
		}
		return s.enqueueImport(ctx, tx, id)
	})
}

// CancelImport ends an import. What is in already stays; a running one stops at its next batch.
func (s *Store) CancelImport(ctx context.Context, actor Actor, id int64) error {
	return s.changeImport(ctx, actor, id, "import.cancel", func(tx pgx.Tx, i Import) error {
		if !i.Open() {
			return invalid("", "This import has ended already.")
		}
		if _, err := tx.Exec(ctx, `UPDATE imports SET state = 'cancelled', finished_at = now() WHERE id = $1`, id); err != nil {
			return fmt.Errorf("cancel: %w", err)
		}
		return s.enqueueImport(ctx, tx, id) // removes what was uploaded
	})
}

// changeImport locks an import that the actor sees and changes it, with an audit event.
func (s *Store) changeImport(ctx context.Context, actor Actor, id int64, action string, change func(pgx.Tx, Import) error) error {
	if err := actor.may(access.Import); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM imports WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
			return fmt.Errorf("import %d: %w", id, err)
		}
		i, err := visibleImport(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		if err := change(tx, i); err != nil {
			return fmt.Errorf("import %d: %w", id, err)
		}
		return audit(ctx, tx, actor, auditEvent{Action: action, ObjectType: "import", ObjectID: id, ProjectID: i.ProjectID})
	})
}

func (s *Store) enqueueImport(ctx context.Context, tx pgx.Tx, id int64) error {
	if _, err := s.queue.InsertTx(ctx, tx, jobargs.RunImport{ImportID: id}, nil); err != nil {
		return fmt.Errorf("enqueue import %d: %w", id, err)
	}
	return nil
}
