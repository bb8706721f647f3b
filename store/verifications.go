package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/access"
	"fiducial/internal/audio"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/store/blob"
)

// Verification is a check that a frozen version is still what it was.
type Verification struct {
	ID         int64
	VersionID  int64
	Media      bool   // the bytes of the images are read too
	State      string // "queued", "done" or "failed"
	DoneItems  int    // images read so far
	Matching   int    // lines that give their leaf again
	Erased     int    // lines of which only the leaf is left
	Mismatched int    // lines that do not
	HashHolds  bool   // the leaves, all there, give the version's hash
	Findings   []Finding
	Erasures   []ErasedLines // which erasures took the erased lines, the earliest first
	CreatedAt  time.Time
	FinishedAt *time.Time
}

// ErasedLines says how many lines of a version an erasure took; its receipt is their explanation.
type ErasedLines struct {
	Erasure int64 `json:"erasure"`
	Lines   int   `json:"lines"`
}

// The reasons for which a line does not hold.
const (
	FoundChanged     = "changed"      // truth, key, size or split are not what was frozen
	FoundGone        = "gone"         // the item is gone without having been erased
	FoundOtherMedia  = "other media"  // another image is recorded
	FoundBrokenMedia = "broken media" // the stored bytes are not those of the record, or missing
	FoundSilenced    = "silenced"     // an erasure of an item whose span overlaps it took part of its sound
	FoundUnexplained = "unexplained"  // only the leaf is left, and no erasure says that it took the rest
)

// Finding is one line that does not hold.
type Finding struct {
	Position int    `json:"position"`
	Item     int64  `json:"item"` // 0 of a line that was emptied
	Reason   string `json:"reason"`
}

// listedFindings bounds the list; Mismatched counts all.
const listedFindings = 100

// Holds tells whether the version was found to be what it was.
func (v *Verification) Holds() bool { return v.State == "done" && v.HashHolds && v.Mismatched == 0 }

const verificationColumns = `id, version_id, media, state, done_items, matching, erased, mismatching AS mismatched, hash_holds, findings, erasures,
	created_at, finished_at`

// Verify has a job check a frozen version; with media it reads every image too. One that waits already is not asked for twice.
func (s *Store) Verify(ctx context.Context, actor Actor, version DatasetVersion, media bool) (v Verification, err error) {
	if err := actor.may(access.ReadDatasets); err != nil {
		return v, err
	}
	if version.State != VersionFrozen {
		return v, invalid("", "This version is not frozen, so there is nothing to verify yet.")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		// The lock lets only one of two requests at once find nothing waiting.
		if _, err := tx.Exec(ctx, `SELECT FROM dataset_versions WHERE id = $1 FOR UPDATE`, version.ID); err != nil {
			return fmt.Errorf("verify version %d: %w", version.ID, err)
		}
		v, err = oneVerification(ctx, tx, `version_id = $1 AND media = $2 AND state = 'queued'`, version.ID, media)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		var id int64
		err := tx.QueryRow(ctx, `INSERT INTO dataset_verifications (version_id, media, created_by, token_id) VALUES ($1, $2, $3, $4) RETURNING id`,
			version.ID, media, orNull(actor.PersonID), orNull(actor.TokenID)).Scan(&id)
		if err != nil {
			return fmt.Errorf("verify version %d: %w", version.ID, err)
		}
		if _, err := s.queue.InsertTx(ctx, tx, jobargs.VerifyVersion{VerificationID: id}, nil); err != nil {
			return fmt.Errorf("enqueue verification %d: %w", id, err)
		}
		v, err = oneVerification(ctx, tx, `id = $1`, id)
		return err
	})
	return v, err
}

// Verification returns one verification with its version, or ErrNotFound if the actor does not see that.
func (s *Store) Verification(ctx context.Context, actor Actor, id int64) (Verification, DatasetVersion, error) {
	v, err := oneVerification(ctx, s.pool, `id = $1`, id)
	if err != nil {
		return v, DatasetVersion{}, err
	}
	version, err := s.versionByID(ctx, actor, v.VersionID)
	if err != nil {
		return Verification{}, DatasetVersion{}, err
	}
	return v, version, nil
}

// LastVerification returns the newest verification of a version, or ErrNotFound if it was never verified. The version came
// from a method that checked who asks.
func (s *Store) LastVerification(ctx context.Context, version DatasetVersion) (Verification, error) {
	return oneVerification(ctx, s.pool, `version_id = $1 ORDER BY id DESC LIMIT 1`, version.ID)
}

func oneVerification(ctx context.Context, q querier, where string, args ...any) (Verification, error) {
	rows, err := q.Query(ctx, `SELECT `+verificationColumns+` FROM dataset_verifications WHERE `+where, args...)
	if err != nil {
		return Verification{}, fmt.Errorf("verification: %w", err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Verification])
	if err != nil {
		return Verification{}, fmt.Errorf("verification: %w", notFound(err))
	}
	return v, nil
}

const (
	verifyLines = `
		SELECT l.truth_id, l.position, l.leaf, l.split, l.item_id, l.media, coalesce(l.width, 0), coalesce(l.height, 0),
			coalesce(x.external_key, ''), s.salt, coalesce(a.sha256, so.sha256), ` + silencedLine + `, coalesce(i.recording_id, 0), ` + soundColumns + `
		FROM dataset_lines l
		LEFT JOIN items i ON i.id = l.item_id
		LEFT JOIN truths t ON t.id = l.truth_id
		LEFT JOIN item_texts x ON x.item_id = l.item_id
		LEFT JOIN item_salts s ON s.item_id = l.item_id
		LEFT JOIN assets a ON a.item_id = l.item_id AND a.kind = 'original'
		LEFT JOIN item_sounds so ON so.item_id = l.item_id` + lineSounds + `
		WHERE l.version_id = @version AND l.item_id IS NOT NULL
		ORDER BY l.truth_id`
	// silencedLine tells that part of the sound of an item i was overwritten since the version of line l was frozen. Spans that meet
	// share no frame, and so do spans of two channels.
	silencedLine = `i.recording_id IS NOT NULL AND EXISTS (
		SELECT FROM recording_silences z JOIN recordings rc ON rc.id = z.recording_id JOIN dataset_versions v ON v.id = l.version_id
		WHERE z.recording_id = i.recording_id AND z.at >= v.labels_at AND (z.channel = 0 OR i.channel = 0 OR z.channel = i.channel)
		  AND floor(z.begins * rc.rate + 0.5) < floor(i.ends * rc.rate + 0.5) AND floor(z.ends * rc.rate + 0.5) > floor(i.begins * rc.rate + 0.5))`
	verifyBoxes = `
		SELECT b.truth_id, b.class_id, coalesce(b.definition_version, 0), b.x, b.y, b.w, b.h, b.rotation, b.crowd
		FROM dataset_lines l JOIN truth_boxes b ON b.truth_id = l.truth_id
		WHERE l.version_id = @version ORDER BY b.truth_id, b.position`
)

// RunVerification does the work of a verification and keeps what it found. Run again, it starts anew.
func (s *Store) RunVerification(ctx context.Context, id int64) error {
	v, version, err := s.Verification(ctx, System(), id)
	if err != nil || v.State != "queued" {
		return err
	}
	check := verifying{Verification: v}
	check.Findings, check.Erasures = []Finding{}, []ErasedLines{}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := s.checkLines(ctx, tx, &check); err != nil {
			return err
		}
		return check.checkHash(ctx, tx, version)
	})
	if err == nil && v.Media {
		err = s.checkMedia(ctx, &check)
	}
	if err != nil {
		return fmt.Errorf("verification %d: %w", id, err)
	}
	return s.closeVerification(ctx, &check.Verification, "done")
}

// FailVerification gives up on a verification that could not be done.
func (s *Store) FailVerification(ctx context.Context, id int64) error {
	return s.closeVerification(ctx, &Verification{ID: id, Findings: []Finding{}, Erasures: []ErasedLines{}}, "failed")
}

func (s *Store) closeVerification(ctx context.Context, v *Verification, state string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE dataset_verifications
		SET state = $2, matching = $3, erased = $4, mismatching = $5, hash_holds = $6, findings = $7, erasures = $8, finished_at = now()
		WHERE id = $1 AND state = 'queued'`, v.ID, state, v.Matching, v.Erased, v.Mismatched, v.HashHolds, v.Findings, v.Erasures)
	if err != nil {
		return fmt.Errorf("verification %d: %w", v.ID, err)
	}
	return nil
}

// verifying is a verification at work.
type verifying struct {
	Verification

	media []storedMedia // to be read
}

// storedMedia is an image whose bytes should have this SHA-256, or an utterance whose sound should.
type storedMedia struct {
	item, recording int64 // 0 for an image
	position        int
	sha256          [sha256.Size]byte
	audio.Clip
}

func (c *verifying) found(position int, item int64, reason string) {
	c.Mismatched++
	if len(c.Findings) < listedFindings {
		c.Findings = append(c.Findings, Finding{position, item, reason})
	}
}

// checkLines makes each leaf again from what the database holds now.
func (s *Store) checkLines(ctx context.Context, tx pgx.Tx, c *verifying) error {
	classes, err := versionClasses(ctx, tx, c.VersionID)
	if err != nil {
		return err
	}
	names := map[int64]string{}
	for _, class := range classes {
		names[class.ID] = class.Name
	}
	var (
		truth, recording                    int64
		position                            int
		line                                manifest.Line
		sound                               soundOf
		silenced                            bool
		leaf, media, salt, recorded, buffer []byte
	)
	query := lineQuery{verifyLines, verifyBoxes, pgx.NamedArgs{"version": c.VersionID}}
	into := []any{&truth, &position, &leaf, &line.Split, &line.Item, &media, &line.Width, &line.Height, &line.Key, &salt, &recorded, &silenced, &recording}
	return s.eachLine(ctx, tx, query, append(into, sound.into()...), func(boxes []truthBox) (err error) {
		line.Media, line.Sound = media, sound.line()
		line.Boxes, err = named(boxes, names, line.Boxes[:0])
		buffer = line.AppendCanonical(buffer[:0])
		made := manifest.LeafOf(salt, buffer)
		switch {
		case salt == nil:
			c.found(position, line.Item, FoundGone)
		case err != nil || !bytes.Equal(made[:], leaf):
			c.found(position, line.Item, FoundChanged)
		case media != nil && silenced:
			c.found(position, line.Item, FoundSilenced)
		case media != nil && !bytes.Equal(media, recorded):
			c.found(position, line.Item, FoundOtherMedia)
		default:
			c.Matching++
			if c.Media && media != nil {
				clip := audio.Clip{Begins: sound.Begin, Ends: sound.End, Channel: sound.Channel}
				c.media = append(c.media, storedMedia{line.Item, recording, position, [sha256.Size]byte(media), clip})
			}
		}
		return nil
	})
}

// checkHash makes the version's hash again from the leaves, those of erased lines among them.
func (c *verifying) checkHash(ctx context.Context, tx pgx.Tx, version DatasetVersion) error {
	//nolint:rowserrcheck // ForEachRow checks it
	rows, err := tx.Query(ctx, `
		SELECT position, leaf, item_id IS NULL, coalesce(erasure_id, 0) FROM dataset_lines WHERE version_id = $1 ORDER BY position`, c.VersionID)
	if err != nil {
		return fmt.Errorf("leaves: %w", err)
	}
	var (
		sum      manifest.Sum
		position int
		leaf     []byte
		erased   bool
		erasure  int64
		lines    int
		sorted   = true
		taken    = map[int64]int{}
	)
	_, err = pgx.ForEachRow(rows, []any{&position, &leaf, &erased, &erasure}, func() error {
		lines++
		switch {
		case erased && erasure == 0:
			c.found(position, 0, FoundUnexplained)
		case erased:
			c.Erased++
			taken[erasure]++
		}
		sorted = sorted && sum.Add(manifest.Leaf(leaf)) == nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("leaves: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(taken)) {
		c.Erasures = append(c.Erasures, ErasedLines{id, taken[id]})
	}
	c.HashHolds = sorted && lines == version.Lines && bytes.Equal(sum.Hash(), version.Hash)
	return nil
}

// mediaReaders is how many images are read at once, and mediaStep after how many the progress is noted.
const (
	mediaReaders = 4
	mediaStep    = 200
)

// checkMedia reads every image and compares its bytes.
func (s *Store) checkMedia(ctx context.Context, c *verifying) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mediaReaders)
	for i, m := range c.media {
		if i%mediaStep == 0 {
			if err := s.noteVerified(ctx, c.ID, i); err != nil {
				return errors.Join(err, group.Wait())
			}
		}
		group.Go(func() error {
			same, err := s.sameBytes(ctx, m)
			if err != nil || same {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			c.Matching--
			c.found(m.position, m.item, FoundBrokenMedia)
			return nil
		})
	}
	err := group.Wait()
	slices.SortFunc(c.Findings, func(a, b Finding) int { return a.Position - b.Position })
	return err
}

func (s *Store) noteVerified(ctx context.Context, id int64, items int) error {
	if _, err := s.pool.Exec(ctx, `UPDATE dataset_verifications SET done_items = $2 WHERE id = $1`, id, items); err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	return nil
}

func (s *Store) sameBytes(ctx context.Context, m storedMedia) (same bool, err error) {
	if m.recording != 0 {
		return s.sameSound(ctx, m)
	}
	object, err := s.blobs.Get(ctx, fmt.Sprintf("items/%d/original", m.item))
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	digest := sha256.New()
	if _, err := io.Copy(digest, object); err != nil {
		return false, err
	}
	return bytes.Equal(digest.Sum(nil), m.sha256[:]), nil
}

func (s *Store) sameSound(ctx context.Context, m storedMedia) (same bool, err error) {
	sound, err := s.OpenSound(ctx, m.recording)
	if _, refused := errors.AsType[*audio.RefusedError](err); refused || errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, sound.Close()) }()
	sum, err := soundHash(sound, m.Clip)
	return err == nil && bytes.Equal(sum, m.sha256[:]), err
}
