package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"fiducial/internal/access"
	"fiducial/internal/jobargs"
	"fiducial/internal/speech"
)

// EvaluationRequest is what an evaluation is asked for. Versions of models and datasets can be named as NAME@latest.
type EvaluationRequest struct {
	// Chain is the name of a chain. Without it, that of Slots is taken, and made if there is none.
	Chain string   `json:"chain,omitempty"`
	Slots []string `json:"slots,omitempty"` // kinds of models, in order; those of the chain if it is named
	// Versions are those of datasets: DATASET@NUMBER.
	Versions []string `json:"versions"`
	// Models are those of each slot: NAME@VERSION, or Reference for the truth in the place of a recognizer.
	Models     [][]string `json:"models"`
	Baseline   []string   `json:"baseline,omitempty"` // for each slot; that of the chain if it is not said
	Split      string     `json:"split,omitempty"`    // test if it is not said
	Normalizer string     `json:"normalizer,omitempty"`
	Labels     string     `json:"labels,omitempty"` // frozen if it is not said, or today
	Title      string     `json:"title,omitempty"`
	Runner     string     `json:"runner,omitempty"` // workers if it is not said, or argo

	StartedBy string `json:"-"` // page, api, release or schedule
	Schedule  int64  `json:"-"`
}

// Bounds of an evaluation.
const (
	mostSteps     = 10_000
	linesOfChunk  = 64
	chunksOfARun  = 20_000 // about; larger runs have larger chunks
	mostOfVersion = 100    // dataset versions
)

// askedEvaluation is a request, checked.
type askedEvaluation struct {
	EvaluationRequest

	chain    Chain
	versions []askedVersion
	models   [][]slotModel
	baseline []int64
	paths    [][]slotModel // each up to some slot, those before others first
}

type askedVersion struct {
	ID, Lines int64
	Name      string
}

// StartEvaluation starts a run, and returns its id. Every refusal is an InvalidError that names the field.
func (s *Store) StartEvaluation(ctx context.Context, actor Actor, r EvaluationRequest) (id int64, err error) {
	if err := actor.may(access.RunEvaluations); err != nil {
		return 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err = s.startEvaluation(ctx, tx, actor, r)
		return err
	})
	return id, err
}

func (s *Store) startEvaluation(ctx context.Context, tx pgx.Tx, actor Actor, r EvaluationRequest) (id int64, err error) {
	asked, err := checkEvaluation(ctx, tx, actor, r)
	if err != nil {
		return 0, err
	}
	if err := keepOutputs(ctx, tx); err != nil {
		return 0, fmt.Errorf("start evaluation: %w", err)
	}
	if id, err = asked.insert(ctx, tx, actor); err != nil {
		return 0, err
	}
	if err := asked.insertSteps(ctx, tx, id); err != nil {
		return 0, err
	}
	if err := s.beginEvaluation(ctx, tx, id, asked.Runner); err != nil {
		return 0, err
	}
	return id, audit(ctx, tx, actor, auditEvent{
		Action: "evaluation.start", ObjectType: "evaluation", ObjectID: id,
		Detail: map[string]any{"chain": asked.chain.ID, "steps": len(asked.paths) * len(asked.versions), "started_by": asked.StartedBy},
	})
}

func checkEvaluation(ctx context.Context, tx pgx.Tx, actor Actor, r EvaluationRequest) (a askedEvaluation, err error) {
	a.EvaluationRequest = r
	a.Split, a.Labels, a.Runner = cmp.Or(a.Split, "test"), cmp.Or(a.Labels, "frozen"), cmp.Or(a.Runner, "workers")
	a.StartedBy, a.Normalizer = cmp.Or(a.StartedBy, "page"), cmp.Or(a.Normalizer, speech.DefaultNormalizer)
	_, normalizes := speech.NormalizerOf(a.Normalizer)
	switch {
	case !slices.Contains([]string{"training", "validation", "test"}, a.Split):
		return a, invalid("split", "Choose the training, the validation or the test side.")
	case a.Labels != "frozen" && a.Labels != "today":
		return a, invalid("labels", "Choose the labels of the version (frozen) or those of today.")
	case a.Runner != "workers" && a.Runner != "argo":
		return a, invalid("runner", "Choose workers or argo.")
	case !normalizes:
		return a, invalid("normalizer", "Choose one of the normalizers: "+strings.Join(speech.NormalizerNames(), ", ")+".")
	}
	if a.Title, err = checkTitle(a.Title); err != nil {
		return a, err
	}
	if a.chain, err = chainFor(ctx, tx, actor, a.Chain, a.Slots); err != nil {
		return a, err
	}
	if err := a.checkModels(ctx, tx); err != nil {
		return a, err
	}
	if err := a.checkVersions(ctx, tx, actor); err != nil {
		return a, err
	}
	if len(a.paths)*len(a.versions) > mostSteps {
		return a, invalid("models", fmt.Sprintf("That would be %d combinations, and at most %d fit into one run. Choose fewer versions.", len(a.paths)*len(a.versions), mostSteps))
	}
	a.baseline = a.chain.Path
	if len(a.Baseline) > 0 {
		a.baseline, err = baselineOf(ctx, tx, a.chain.Slots, a.Baseline)
	}
	return a, err
}

// checkModels finds the versions of each slot, and the paths that they make.
func (a *askedEvaluation) checkModels(ctx context.Context, q querier) error {
	if len(a.Models) != len(a.chain.Slots) {
		return invalid("models", fmt.Sprintf("Name at least one version for each slot of the chain: %s.", strings.Join(a.chain.Slots, ", ")))
	}
	for i, names := range a.Models {
		var models []slotModel
		for _, name := range names {
			if strings.TrimSpace(name) == "" {
				continue
			}
			m, err := slotVersion(ctx, q, "models", a.chain.Slots[i], name)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(models, func(o slotModel) bool { return o.ID == m.ID }) {
				models = append(models, m)
			}
		}
		if len(models) == 0 {
			return invalid("models", fmt.Sprintf("Choose a version for the slot %s: nothing can be run without one.", a.chain.Slots[i]))
		}
		a.models = append(a.models, models)
	}
	a.walk(nil)
	if len(a.paths) == 0 {
		return invalid("models", "The reference alone says nothing of a model. Choose a model version beside it.")
	}
	return nil
}

// walk adds the paths that begin with one. The truth can only take the place of a model where it has taken that of all before it: what
// it says does not depend on them.
func (a *askedEvaluation) walk(begin []slotModel) {
	slot := len(begin)
	if slot == len(a.models) {
		return
	}
	atTruth := !slices.ContainsFunc(begin, func(m slotModel) bool { return m.ID != 0 })
	for _, m := range a.models[slot] {
		if m.ID == 0 && !atTruth {
			continue
		}
		path := append(slices.Clone(begin), m)
		if m.ID != 0 {
			a.paths = append(a.paths, path)
		}
		a.walk(path)
	}
}

// checkVersions finds the dataset versions.
func (a *askedEvaluation) checkVersions(ctx context.Context, tx pgx.Tx, actor Actor) error {
	kind := "audio"
	if a.chain.Slots[0] == "detector" {
		kind = "image"
	}
	for _, named := range a.Versions {
		if named = strings.TrimSpace(named); named == "" {
			continue
		}
		v, err := a.oneVersion(ctx, tx, actor, named, kind)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(a.versions, func(o askedVersion) bool { return o.ID == v.ID }) {
			a.versions = append(a.versions, v)
		}
	}
	switch n := len(a.versions); {
	case n == 0:
		return invalid("versions", "Choose at least one dataset version to measure with, such as calls@3.")
	case n > mostOfVersion:
		return invalid("versions", fmt.Sprintf("At most %d dataset versions fit into one run.", mostOfVersion))
	}
	slices.SortFunc(a.versions, func(x, y askedVersion) int { return cmp.Compare(x.ID, y.ID) })
	return nil
}

func (a *askedEvaluation) oneVersion(ctx context.Context, q querier, actor Actor, named, kind string) (v askedVersion, err error) {
	dataset, number, ok := strings.Cut(named, "@")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil && number != "latest" {
		return v, invalid("versions", fmt.Sprintf("%q is no dataset version. Write it as DATASET@NUMBER, such as calls@3.", named))
	}
	var state, of string
	err = q.QueryRow(ctx, `
		SELECT v.id, d.name || '@' || v.number, v.state,
			coalesce((SELECT p.kind FROM dataset_version_projects vp JOIN projects p ON p.id = vp.project_id WHERE vp.version_id = v.id LIMIT 1), 'image'),
			(SELECT count(*) FROM dataset_lines l WHERE l.version_id = v.id AND l.split = @split)
		FROM datasets d JOIN dataset_versions v ON v.dataset_id = d.id
		WHERE d.name = @dataset AND (v.number = @number::bigint OR @number = 0 AND v.state = 'frozen') AND `+seesVersion+` ORDER BY v.number DESC LIMIT 1`,
		actor.args(pgx.NamedArgs{"dataset": dataset, "number": n, "split": a.Split})).Scan(&v.ID, &v.Name, &state, &of, &v.Lines)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return v, invalid("versions", fmt.Sprintf("There is no dataset version %s that you see. Check its name and number.", named))
	case err != nil:
		return v, fmt.Errorf("dataset version: %w", err)
	case state != VersionFrozen:
		return v, invalid("versions", v.Name+" is not frozen. Wait until it is, or choose another.")
	case of != kind:
		return v, invalid("versions", fmt.Sprintf("%s holds %s, and this chain begins with a model of %s.", v.Name, kindOfItems(of), kindOfItems(kind)))
	case v.Lines == 0:
		return v, invalid("versions", fmt.Sprintf("%s has nothing on its %s side. Choose another side, or another version.", v.Name, a.Split))
	}
	return v, nil
}

func kindOfItems(kind string) string {
	if kind == "audio" {
		return "sound"
	}
	return "images"
}

func (a *askedEvaluation) insert(ctx context.Context, tx pgx.Tx, actor Actor) (id int64, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO evaluations (chain_id, title, split, normalizer, labels, baseline, started_by, schedule_id, runner, created_by, token_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id`,
		a.chain.ID, a.Title, a.Split, a.Normalizer, a.Labels, a.baseline, a.StartedBy, orNull(a.Schedule), a.Runner, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add evaluation: %w", err)
	}
	batch := &pgx.Batch{}
	for _, v := range a.versions {
		batch.Queue(`INSERT INTO evaluation_versions (evaluation_id, version_id) VALUES ($1, $2)`, id, v.ID)
	}
	for slot, models := range a.models {
		for _, m := range models {
			batch.Queue(`INSERT INTO evaluation_models (evaluation_id, slot, model_version_id) VALUES ($1, $2, $3)`, id, slot, orNull(m.ID))
		}
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("evaluation %d: %w", id, err)
	}
	return id, nil
}

// insertSteps writes the graph of the run, version by version, and cuts each step into chunks. A step's chunks have the same lines as
// those of the step before it.
func (a *askedEvaluation) insertSteps(ctx context.Context, tx pgx.Tx, id int64) error {
	var lines int64
	for _, v := range a.versions {
		lines += v.Lines * int64(len(a.paths))
	}
	each := max(linesOfChunk, int(lines/chunksOfARun))
	for _, v := range a.versions {
		steps := map[string]int64{}
		for _, path := range a.paths {
			ids := make([]int64, len(path))
			for i, m := range path {
				ids[i] = m.ID
			}
			after, follows := steps[fmt.Sprint(ids[:len(ids)-1])]
			model := path[len(path)-1]
			var step int64
			err := tx.QueryRow(ctx, `
				INSERT INTO evaluation_steps (evaluation_id, version_id, path, configuration, after_step, items)
				VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN $6::bigint END, $7) RETURNING id`,
				id, v.ID, ids, model.Server.Configuration, follows, after, v.Lines).Scan(&step)
			if err != nil {
				return fmt.Errorf("steps of evaluation %d: %w", id, err)
			}
			steps[fmt.Sprint(ids)] = step
		}
	}
	_, err := tx.Exec(ctx, `
		WITH numbered AS (
			SELECT l.version_id, l.position, (row_number() OVER (PARTITION BY l.version_id ORDER BY l.position) - 1) / $2 AS number
			FROM evaluation_versions v JOIN dataset_lines l ON l.version_id = v.version_id AND l.split = $3 WHERE v.evaluation_id = $1
		), cut AS (SELECT version_id, number, min(position) AS first, max(position) AS last FROM numbered GROUP BY 1, 2)
		INSERT INTO evaluation_chunks (step_id, number, first, last)
		SELECT s.id, c.number, c.first, c.last FROM evaluation_steps s JOIN cut c ON c.version_id = s.version_id WHERE s.evaluation_id = $1`, id, each, a.Split)
	if err != nil {
		return fmt.Errorf("chunks of evaluation %d: %w", id, err)
	}
	return nil
}

// beginEvaluation has workers begin with a run, or with the rest of it.
func (s *Store) beginEvaluation(ctx context.Context, tx pgx.Tx, id int64, runner string) error {
	if runner == "argo" {
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.SubmitEvaluation{EvaluationID: id}, nil); err != nil {
			return fmt.Errorf("enqueue evaluation %d: %w", id, err)
		}
		return nil
	}
	return s.enqueueRoots(ctx, tx, id)
}
