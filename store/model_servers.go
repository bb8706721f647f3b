package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/models"
)

// ModelServer is how a model version is asked.
type ModelServer struct {
	models.Settings

	VersionID     int64 // of the model
	Model         string
	Version       string
	Kind          string // one of modelKinds
	Configuration []byte // SHA-256 of what changes its answers: outputs are kept by it
	HasCredential bool
	Credential    string // of ModelServerFor alone
	Revision      int    // raised by every change; 0: nobody said how it is asked
	ChangedBy     string
	ChangedAt     *time.Time
}

// Name is how commands call the model version.
func (m *ModelServer) Name() string { return m.Model + "@" + m.Version }

// Task is what its output is measured as.
func (m *ModelServer) Task() string { return m.Options.TaskOf(m.Kind) }

// modelServerRow is what is read of one.
type modelServerRow struct {
	VersionID                        int64
	Model, Version, Kind             string
	Configuration                    []byte
	Revision                         int
	ChangedBy                        string
	ChangedAt                        *time.Time
	Adapter                          models.Adapter
	URL                              string
	Options                          models.Options
	Sealed                           []byte
	TimeoutMS, Attempts, Concurrency int
	Rate                             float64
	Launcher                         string
	Launch                           models.Launch
}

func (r *modelServerRow) server() ModelServer {
	return ModelServer{
		Settings: models.Settings{
			Adapter: r.Adapter, URL: r.URL, Options: r.Options, Timeout: time.Duration(r.TimeoutMS) * time.Millisecond, Attempts: r.Attempts,
			Rate: r.Rate, Concurrency: r.Concurrency, Launcher: r.Launcher, Launch: r.Launch,
		},
		VersionID: r.VersionID, Model: r.Model, Version: r.Version, Kind: r.Kind, Configuration: r.Configuration, HasCredential: r.Sealed != nil,
		Revision: r.Revision, ChangedBy: r.ChangedBy, ChangedAt: r.ChangedAt,
	}
}

const modelServerQuery = `
	SELECT v.id AS version_id, m.name AS model, v.version, m.kind, coalesce(s.configuration, '') AS configuration,
		coalesce(s.version, 0) AS revision, coalesce(n.name, p.pseudonym, '') AS changed_by, s.changed_at,
		coalesce(s.adapter, 'offline') AS adapter, coalesce(s.url, '') AS url, coalesce(s.options, '{}') AS options, s.credential AS sealed,
		coalesce(s.timeout_ms, 30000) AS timeout_ms, coalesce(s.attempts, 3) AS attempts, coalesce(s.rate, 0) AS rate,
		coalesce(s.concurrency, 4) AS concurrency, coalesce(s.launcher, '') AS launcher, coalesce(s.launch, '{}') AS launch
	FROM model_versions v JOIN models m ON m.id = v.model_id LEFT JOIN model_servers s ON s.model_version_id = v.id
	LEFT JOIN people p ON p.id = s.changed_by LEFT JOIN person_identities n ON n.person_id = s.changed_by `

// modelServer reads one; a version of which nobody said how it is asked is offline: its predictions can only have been imported.
func modelServer(ctx context.Context, q querier, where string, args ...any) (*modelServerRow, error) {
	rows, err := q.Query(ctx, modelServerQuery+where, args...)
	if err != nil {
		return nil, fmt.Errorf("model server: %w", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[modelServerRow])
	if err != nil {
		return nil, fmt.Errorf("model server: %w", notFound(err))
	}
	if len(row.Configuration) == 0 {
		if row.Configuration, err = models.Configuration(row.Adapter, row.Options); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// ModelServer returns how a version of a model is asked, without its credential, or ErrNotFound if there is no such version.
func (s *Store) ModelServer(ctx context.Context, actor Actor, model, version string) (ModelServer, error) {
	if err := actor.may(access.ReadModels); err != nil {
		return ModelServer{}, err
	}
	row, err := modelServer(ctx, s.pool, `WHERE m.name = $1 AND v.version = $2`, model, version)
	if err != nil {
		return ModelServer{}, err
	}
	return row.server(), nil
}

// ModelServerFor returns how a model version is asked with its credential, for jobs. One that this installation cannot open is the
// error sealed.ErrSealed, beside the rest.
func (s *Store) ModelServerFor(ctx context.Context, version int64) (ModelServer, error) {
	row, err := modelServer(ctx, s.pool, `WHERE v.id = $1`, version)
	if err != nil {
		return ModelServer{}, err
	}
	server := row.server()
	if row.Sealed == nil {
		return server, nil
	}
	key, err := s.sealing()
	if err != nil {
		return ModelServer{}, err
	}
	credential, err := key.Open(row.Sealed, modelServerPlace(version))
	if err != nil {
		return server, fmt.Errorf("credential of model version %d: %w", version, err)
	}
	server.Credential = string(credential)
	return server, nil
}

// modelServerPlace is where a model server's credential is sealed for.
func modelServerPlace(version int64) string { return fmt.Sprintf("model server %d", version) }

// ModelServerEdit says how a model version is asked from now on.
type ModelServerEdit struct {
	models.Settings

	Revision   int     // that the actor saw; 0 overwrites whatever there is
	Credential *string // nil keeps what there is, "" takes it away
}

// longestCredential is what is kept of one at most.
const longestCredential = 10_000

// SetModelServer says how a version of a model is asked. What it answered under another configuration is not taken for an answer of
// this one. ErrConflict: somebody else has changed it since the revision that the actor saw.
func (s *Store) SetModelServer(ctx context.Context, actor Actor, model, version string, e ModelServerEdit) error {
	if err := actor.may(access.RegisterModels); err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.setModelServer(ctx, tx, actor, model, version, e) })
}

func (s *Store) setModelServer(ctx context.Context, tx pgx.Tx, actor Actor, model, version string, e ModelServerEdit) error {
	var id int64
	err := tx.QueryRow(ctx, `SELECT v.id FROM model_versions v JOIN models m ON m.id = v.model_id WHERE m.name = $1 AND v.version = $2 FOR UPDATE OF v`, model, version).Scan(&id)
	if err != nil {
		return fmt.Errorf("model server: %w", notFound(err))
	}
	now, err := modelServer(ctx, tx, `WHERE v.id = $1`, id)
	if err != nil {
		return err
	}
	if e.Revision != 0 && e.Revision != now.Revision {
		return fmt.Errorf("server of model version %d: %w", id, ErrConflict)
	}
	e.URL = strings.TrimSpace(e.URL)
	if err := e.Check(now.Kind); err != nil {
		if setting, ok := errors.AsType[*models.SettingError](err); ok {
			return invalid(setting.Field, setting.Reason)
		}
		return err
	}
	credential, err := s.credentialBox(id, now.Sealed, e.Credential)
	if err != nil {
		return err
	}
	if err := writeModelServer(ctx, tx, actor, id, e, credential); err != nil {
		return err
	}
	return audit(ctx, tx, actor, auditEvent{
		Action: "model.server", ObjectType: "model_version", ObjectID: id,
		Detail: map[string]any{"adapter": e.Adapter, "launcher": e.Launcher, "credential": credential != nil},
	})
}

func writeModelServer(ctx context.Context, tx pgx.Tx, actor Actor, id int64, e ModelServerEdit, credential []byte) error {
	configuration, err := models.Configuration(e.Adapter, e.Options)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO model_servers AS s (model_version_id, adapter, url, options, configuration, credential, timeout_ms, attempts, rate, concurrency, launcher, launch, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9::float8, 0), $10, $11, $12, $13)
		ON CONFLICT (model_version_id) DO UPDATE SET adapter = EXCLUDED.adapter, url = EXCLUDED.url, options = EXCLUDED.options,
			configuration = EXCLUDED.configuration, credential = EXCLUDED.credential, timeout_ms = EXCLUDED.timeout_ms, attempts = EXCLUDED.attempts,
			rate = EXCLUDED.rate, concurrency = EXCLUDED.concurrency, launcher = EXCLUDED.launcher, launch = EXCLUDED.launch,
			version = s.version + 1, changed_by = EXCLUDED.changed_by, changed_at = now()`,
		id, e.Adapter, e.URL, e.Options, configuration, credential, e.Timeout.Milliseconds(), e.Attempts, e.Rate, e.Concurrency, e.Launcher, e.Launch,
		orNull(actor.PersonID))
	if err != nil {
		return fmt.Errorf("server of model version %d: %w", id, err)
	}
	return nil
}

// credentialBox is what is kept of a credential: the new one sealed, or what there was.
func (s *Store) credentialBox(version int64, kept []byte, given *string) ([]byte, error) {
	if given == nil {
		return kept, nil
	}
	credential := strings.TrimSpace(*given)
	switch {
	case credential == "":
		return nil, nil
	case len(credential) > longestCredential || strings.ContainsFunc(credential, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, invalid("credential", "A credential is one line of letters, digits and signs, as its server gave it.")
	}
	key, err := s.sealing()
	if err != nil {
		return nil, err
	}
	if key.IsZero() {
		return nil, invalid("credential", "This server has no key to keep a secret under: start it with a data folder, or with FIDUCIAL_SIGNING_KEY.")
	}
	return key.Seal([]byte(credential), modelServerPlace(version)), nil
}
