-- +goose Up

-- A recording is one file of sound, and what an erasure of sound works on: items are spans of it. Its name lies with
-- its items (item_texts), its bytes in object storage under recordings/{id}/{kind}.
CREATE TABLE recordings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES projects,
    source_id   bigint NOT NULL REFERENCES sources,
    key_hash    bytea NOT NULL, -- HMAC-SHA-256 of the recording's path under the project's secret
    state       text NOT NULL DEFAULT 'awaiting_media'
                CHECK (state IN ('awaiting_media', 'processing', 'ready', 'broken')),
    fault       text NOT NULL DEFAULT '',
    encoding    text NOT NULL DEFAULT '', -- pcm16, mulaw, flac … as the file had it
    rate        integer CHECK (rate > 0), -- frames a second
    channels    integer CHECK (channels > 0),
    frames      bigint CHECK (frames > 0),
    version     integer NOT NULL DEFAULT 1, -- raised when its bytes are written anew
    imported_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, key_hash),
    CONSTRAINT recordings_ready CHECK (state <> 'ready' OR (rate IS NOT NULL AND channels IS NOT NULL AND frames IS NOT NULL))
);
CREATE INDEX recordings_source_idx ON recordings (source_id, id);

-- original: as it came. sound: linear PCM of it, only where the server cannot read the original itself. peaks: outlines for waveforms.
CREATE TABLE recording_assets (
    recording_id bigint NOT NULL REFERENCES recordings,
    kind         text NOT NULL CHECK (kind IN ('original', 'sound', 'peaks')),
    content_type text NOT NULL,
    bytes        bigint NOT NULL,
    sha256       bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (recording_id, kind)
);

-- The ids under which an import is about to store recordings, so that what a killed one stored can be deleted.
CREATE TABLE recording_reservations (
    recording_id bigint PRIMARY KEY,
    import_id    bigint NOT NULL REFERENCES imports
);
CREATE INDEX recording_reservations_import_idx ON recording_reservations (import_id);

-- Spans that an erasure overwrote, in seconds of the recording.
CREATE TABLE recording_silences (
    recording_id bigint NOT NULL REFERENCES recordings,
    channel      integer NOT NULL DEFAULT 0, -- from 1; 0: all
    begins       double precision NOT NULL,
    ends         double precision NOT NULL CHECK (ends > begins),
    at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (recording_id, channel, begins)
);

-- The span of its recording that an item of sound is, in seconds; both are known once the recording was read. A channel counts
-- from 1, 0 is all of them.
ALTER TABLE items ADD COLUMN recording_id bigint REFERENCES recordings;
ALTER TABLE items ADD COLUMN channel integer NOT NULL DEFAULT 0 CHECK (channel >= 0);
ALTER TABLE items ADD COLUMN begins double precision CHECK (begins >= 0);
ALTER TABLE items ADD COLUMN ends double precision;
ALTER TABLE items ADD CONSTRAINT items_span CHECK ((begins IS NULL OR recording_id IS NOT NULL) AND (ends IS NULL OR ends > begins));
CREATE INDEX items_recording_idx ON items (recording_id, begins) WHERE recording_id IS NOT NULL;
-- All that a choice among the utterances of a project looks at, so that it reads no row of a million.
CREATE INDEX items_utterances_idx ON items (project_id, id) INCLUDE (source_id, begins, ends, retain_until)
    WHERE recording_id IS NOT NULL AND state = 'ready';

-- A moment is a class on a stretch of time. It is kept as a box is (annotation_boxes, prediction_boxes, truth_boxes, drafts), so that
-- it is matched, reviewed, counted, sent back and frozen as every label: x and w are seconds from the beginning of the
-- item, y is the channel (0 for all), h is 1. The overlap of two moments is then that of their boxes.

-- What was written down: of a draft, an answer or a truth, as [{"begin":0,"end":1.5,"channel":1,"speaker":"A","text":"…"}],
-- in seconds from the beginning of the item.
CREATE TABLE transcripts (
    item_id  bigint NOT NULL REFERENCES items,
    kind     text NOT NULL CHECK (kind IN ('draft', 'annotation', 'truth')),
    of_id    bigint NOT NULL, -- of the assignment, the annotation or the truth
    segments jsonb NOT NULL,
    PRIMARY KEY (item_id, kind, of_id)
) PARTITION BY HASH (item_id);

-- What a model version heard: words as [{"word":"…","start":0.1,"end":0.4,"confidence":0.93}].
CREATE TABLE hypotheses (
    item_id       bigint NOT NULL REFERENCES items,
    prediction_id bigint NOT NULL REFERENCES predictions,
    text          text NOT NULL,
    words         jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (item_id, prediction_id)
) PARTITION BY HASH (item_id);
-- +goose StatementBegin
DO $$ BEGIN
    FOR i IN 0..7 LOOP
        EXECUTE format('CREATE TABLE transcripts_%s PARTITION OF transcripts FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE hypotheses_%s PARTITION OF hypotheses FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i);
        -- The planner's statistics would be another place with words in it.
        EXECUTE format('ALTER TABLE transcripts_%s ALTER COLUMN segments SET STATISTICS 0', i);
        EXECUTE format('ALTER TABLE hypotheses_%s ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN words SET STATISTICS 0', i);
    END LOOP;
END $$;
-- +goose StatementEnd
ALTER TABLE transcripts ALTER COLUMN segments SET STATISTICS 0;
ALTER TABLE hypotheses ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN words SET STATISTICS 0;
CREATE INDEX hypotheses_prediction_idx ON hypotheses (prediction_id);

-- Whose sound an erased item was: ids alone.
ALTER TABLE erasure_items ADD COLUMN recording_id bigint;
CREATE INDEX erasure_items_recording_idx ON erasure_items (recording_id) WHERE recording_id IS NOT NULL;

-- What a plan chooses by, beside the content: the mean confidence of a hypothesis and how many words it has.
ALTER TABLE predictions ADD COLUMN confidence real CHECK (confidence BETWEEN 0 AND 1);
ALTER TABLE predictions ADD COLUMN words integer;
CREATE INDEX predictions_confidence_idx ON predictions (model_version_id, item_id) INCLUDE (confidence, words) WHERE model_version_id IS NOT NULL;

-- Every hypothesis that somebody saw who answered or decided: edit and reveal at the workbench, review at the review. edits
-- is the number of word errors between it and what they wrote then, of that many words; NULL until they did.
CREATE TABLE hypothesis_views (
    item_id          bigint NOT NULL REFERENCES items,
    person_id        bigint NOT NULL REFERENCES people,
    model_version_id bigint REFERENCES model_versions, -- NULL: a prefill of unnamed origin
    how              text NOT NULL CHECK (how IN ('edit', 'reveal', 'review')),
    seen_at          timestamptz NOT NULL DEFAULT now(),
    annotation_id    bigint REFERENCES annotations ON DELETE CASCADE,
    review_id        bigint REFERENCES reviews ON DELETE CASCADE,
    edits            integer,
    words            integer
);
CREATE UNIQUE INDEX hypothesis_views_key ON hypothesis_views
    (item_id, person_id, how, (coalesce(model_version_id, 0)), (coalesce(annotation_id, 0)), (coalesce(review_id, 0)));
CREATE INDEX hypothesis_views_annotation_idx ON hypothesis_views (annotation_id) WHERE annotation_id IS NOT NULL;
CREATE INDEX hypothesis_views_review_idx ON hypothesis_views (review_id) WHERE review_id IS NOT NULL;

-- Whoever needed to hear more around an item than the project lets everybody hear; the reason lies in item_notes ('context').
CREATE TABLE wider_contexts (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id   bigint NOT NULL REFERENCES items,
    person_id bigint NOT NULL REFERENCES people,
    seconds   double precision NOT NULL CHECK (seconds > 0),
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX wider_contexts_item_idx ON wider_contexts (item_id, person_id);
-- A page asks for a sound in many ranges: whoever hears an item is noted once a minute.
CREATE UNIQUE INDEX media_reads_sound_key ON media_reads
    (item_id, (coalesce(person_id, 0)), (coalesce(token_id, 0)), (date_trunc('minute', at AT TIME ZONE 'UTC'))) WHERE kind = 'sound';
ALTER TABLE item_notes DROP CONSTRAINT item_notes_kind_check;
ALTER TABLE item_notes ADD CONSTRAINT item_notes_kind_check
    CHECK (kind IN ('skip', 'review', 'mark', 'dispute', 'context'));

-- How the utterances of a project are heard, compared and written down.
ALTER TABLE projects ADD COLUMN context_seconds double precision NOT NULL DEFAULT 3 CHECK (context_seconds BETWEEN 0 AND 60);
ALTER TABLE projects ADD COLUMN normalizer text NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN prefill_mode text NOT NULL DEFAULT 'blind' CHECK (prefill_mode IN ('blind', 'edit', 'reveal'));

-- Transcription rules: a guideline's text with what is checked while somebody writes. Version NULL is the draft.
CREATE TABLE transcription_rules (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id   bigint NOT NULL REFERENCES projects,
    version      integer CHECK (version > 0),
    body         text NOT NULL DEFAULT '', -- Markdown
    checks       jsonb NOT NULL DEFAULT '{}',
    edited_by    bigint REFERENCES people,
    edited_at    timestamptz NOT NULL DEFAULT now(),
    edit_version integer NOT NULL DEFAULT 1,
    published_at timestamptz,
    UNIQUE (project_id, version),
    CONSTRAINT transcription_rules_published CHECK ((version IS NULL) = (published_at IS NULL))
);
CREATE UNIQUE INDEX transcription_rules_draft_key ON transcription_rules (project_id) WHERE version IS NULL;
ALTER TABLE annotations ADD COLUMN rules_version integer;
ALTER TABLE truths ADD COLUMN rules_version integer;

-- A sending back without a class is of the rules: version is theirs.
ALTER TABLE relabels ALTER COLUMN class_id DROP NOT NULL;

-- A sampling plan chooses utterances by a model version's confidence; its items become a batch. modes are those of the first,
-- second … labeler of an item.
CREATE TABLE plans (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id       bigint NOT NULL REFERENCES projects,
    number           integer NOT NULL,
    title            text NOT NULL DEFAULT '',
    model_version_id bigint NOT NULL REFERENCES model_versions,
    settings         jsonb NOT NULL,
    modes            text[] NOT NULL CHECK (modes <@ ARRAY['blind', 'edit', 'reveal'] AND cardinality(modes) BETWEEN 1 AND 9),
    state            text NOT NULL DEFAULT 'drawing' CHECK (state IN ('drawing', 'open', 'failed')),
    error            text NOT NULL DEFAULT '',
    items            integer NOT NULL DEFAULT 0,
    seconds          double precision NOT NULL DEFAULT 0,
    histogram        jsonb NOT NULL DEFAULT '{}', -- of confidence by stratum: all, chosen, control
    batch_id         bigint REFERENCES batches,
    report           jsonb,
    reported_at      timestamptz,
    created_by       bigint REFERENCES people,
    token_id         bigint REFERENCES api_tokens,
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, number)
);
CREATE TABLE plan_items (
    item_id    bigint NOT NULL REFERENCES items,
    plan_id    bigint NOT NULL REFERENCES plans,
    arm        text NOT NULL CHECK (arm IN ('chosen', 'control')),
    stratum    integer NOT NULL,
    decile     integer NOT NULL CHECK (decile BETWEEN 1 AND 10), -- of confidence within the stratum, 1 the least sure
    confidence real NOT NULL,
    PRIMARY KEY (plan_id, item_id)
);
CREATE INDEX plan_items_item_idx ON plan_items (item_id);
ALTER TABLE tasks ADD COLUMN plan_id bigint REFERENCES plans;
CREATE INDEX tasks_plan_idx ON tasks (plan_id) WHERE plan_id IS NOT NULL;
ALTER TABLE assignments ADD COLUMN mode text CHECK (mode IN ('blind', 'edit', 'reveal')); -- NULL: of an image

-- Personal data found in a truth's transcript: where, of what kind, never what. first and last count runes of the segment's text,
-- begins and ends are seconds of the item, for what is silenced in exported sound.
CREATE TABLE personal_findings (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id    bigint NOT NULL REFERENCES items,
    truth_id   bigint NOT NULL REFERENCES truths,
    segment    integer NOT NULL,
    first      integer NOT NULL CHECK (first >= 0),
    last       integer NOT NULL CHECK (last > first),
    begins     double precision,
    ends       double precision,
    kind       text NOT NULL,
    detector   text NOT NULL,
    confidence real NOT NULL,
    state      text NOT NULL DEFAULT 'found' CHECK (state IN ('found', 'confirmed', 'dismissed')),
    decided_by bigint REFERENCES people,
    decided_at timestamptz,
    found_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (truth_id, segment, first, last, kind)
);
CREATE INDEX personal_findings_item_idx ON personal_findings (item_id);
CREATE TABLE personal_scans (
    item_id    bigint NOT NULL REFERENCES items,
    truth_id   bigint NOT NULL REFERENCES truths,
    detector   text NOT NULL,
    findings   integer NOT NULL,
    scanned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (truth_id, detector)
);
CREATE INDEX personal_scans_item_idx ON personal_scans (item_id);

-- A model's lineage, and what people should know of a version.
ALTER TABLE models ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN successor_of bigint REFERENCES model_versions;
ALTER TABLE model_versions ADD COLUMN created_by bigint REFERENCES people;
CREATE TABLE model_training (
    model_version_id bigint NOT NULL REFERENCES model_versions,
    version_id       bigint NOT NULL REFERENCES dataset_versions,
    PRIMARY KEY (model_version_id, version_id)
);
CREATE INDEX model_training_version_idx ON model_training (version_id);

ALTER TABLE imports DROP CONSTRAINT imports_format_check;
ALTER TABLE imports ADD CONSTRAINT imports_format_check CHECK (format IN (
    'images', 'coco', 'voc', 'yolo', 'cvat', 'labelstudio', 'audio', 'nemo', 'ctm', 'stm', 'vtt', 'srt', 'textgrid', 'hypotheses'));
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check CHECK (format IN (
    'coco', 'voc', 'yolo', 'yolo-obb', 'cvat', 'labelstudio', 'parquet', 'huggingface', 'nemo', 'ctm', 'stm', 'vtt', 'srt', 'textgrid'));
-- How an export treats confirmed personal data: as it stands, masked by kind, or replaced by tokens that are the same for the same.
-- What nobody has decided yet is treated as confirmed unless the export says otherwise, and keeping it needs a reason.
ALTER TABLE exports ADD COLUMN personal text NOT NULL DEFAULT 'mask' CHECK (personal IN ('keep', 'mask', 'token'));
ALTER TABLE exports ADD COLUMN personal_open boolean NOT NULL DEFAULT true;
ALTER TABLE exports ADD COLUMN personal_reason text NOT NULL DEFAULT '';

-- Why a reviewer sends back words and moments.
ALTER TABLE review_marks DROP CONSTRAINT review_marks_reason_check;
ALTER TABLE review_marks ADD CONSTRAINT review_marks_reason_check CHECK (reason IN (
    'loose_box', 'missed_defect', 'wrong_class', 'split_needed', 'other', 'wrong_words', 'missed_words', 'against_rules', 'wrong_time', 'missed_moment'));

-- Which erasures took the lines that a verification found erased: [{"erasure":3,"lines":12}].
ALTER TABLE dataset_verifications ADD COLUMN erasures jsonb NOT NULL DEFAULT '[]';
-- How far the words of the answers to an item coincide, after the project's normalizer; all NULL for an image. Of each two answers
-- word_errors are those between them, words those of both together, and wer is the mean over them of word_errors over the
-- mean length. The truth_ columns are of each answer beside the truth, with truth_words and truth_wer over the truth's words alone.
ALTER TABLE item_agreements
    ADD COLUMN wer               double precision CHECK (wer >= 0),
    ADD COLUMN word_errors       integer,
    ADD COLUMN words             integer,
    ADD COLUMN truth_wer         double precision CHECK (truth_wer >= 0),
    ADD COLUMN truth_word_errors integer,
    ADD COLUMN truth_words       integer;
ALTER TABLE item_agreements DROP CONSTRAINT item_agreements_worst_check;
ALTER TABLE item_agreements ADD CONSTRAINT item_agreements_worst_check
    CHECK (worst IN ('agreed', 'missed', 'class', 'loose', 'split', 'words'));

-- The word errors of an answer to a gold item, and the words of its truth; of a labeler's answers, beside the truth, their peers and
-- the truth of gold items.
ALTER TABLE gold_results ADD COLUMN word_errors integer, ADD COLUMN words integer;
ALTER TABLE labeler_figures
    ADD COLUMN truth_word_errors integer NOT NULL DEFAULT 0,
    ADD COLUMN truth_words       integer NOT NULL DEFAULT 0,
    ADD COLUMN peer_word_errors  integer NOT NULL DEFAULT 0,
    ADD COLUMN peer_words        integer NOT NULL DEFAULT 0,
    ADD COLUMN gold_word_errors  integer NOT NULL DEFAULT 0,
    ADD COLUMN gold_words        integer NOT NULL DEFAULT 0;

-- SHA-256 of the sound of an item alone: of the WAV file of 16 bit PCM that its frames make. It is worked out once for a version
-- of its recording, and a frozen line holds it, so that an erasure of other spans of that recording changes nothing.
CREATE TABLE item_sounds (
    item_id           bigint PRIMARY KEY REFERENCES items,
    recording_version integer NOT NULL,
    sha256            bytea NOT NULL
);

-- How much speech a frozen version holds.
ALTER TABLE dataset_versions ADD COLUMN seconds double precision NOT NULL DEFAULT 0;
ALTER TABLE dataset_versions ADD COLUMN words bigint NOT NULL DEFAULT 0;
ALTER TABLE dataset_version_counts ADD COLUMN seconds double precision NOT NULL DEFAULT 0;
ALTER TABLE dataset_version_counts ADD COLUMN words bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE dataset_version_counts DROP COLUMN words, DROP COLUMN seconds;
ALTER TABLE dataset_versions DROP COLUMN words, DROP COLUMN seconds;
DROP TABLE item_sounds;
ALTER TABLE labeler_figures DROP COLUMN truth_word_errors, DROP COLUMN truth_words, DROP COLUMN peer_word_errors, DROP COLUMN peer_words,
    DROP COLUMN gold_word_errors, DROP COLUMN gold_words;
ALTER TABLE gold_results DROP COLUMN word_errors, DROP COLUMN words;
DELETE FROM item_agreements WHERE worst = 'words';
ALTER TABLE item_agreements DROP CONSTRAINT item_agreements_worst_check;
ALTER TABLE item_agreements ADD CONSTRAINT item_agreements_worst_check CHECK (worst IN ('agreed', 'missed', 'class', 'loose', 'split'));
ALTER TABLE item_agreements DROP COLUMN wer, DROP COLUMN word_errors, DROP COLUMN words, DROP COLUMN truth_wer, DROP COLUMN truth_word_errors,
    DROP COLUMN truth_words;
ALTER TABLE dataset_verifications DROP COLUMN erasures;
UPDATE review_marks SET reason = 'other' WHERE reason IN ('wrong_words', 'missed_words', 'against_rules', 'wrong_time', 'missed_moment');
ALTER TABLE review_marks DROP CONSTRAINT review_marks_reason_check;
ALTER TABLE review_marks ADD CONSTRAINT review_marks_reason_check
    CHECK (reason IN ('loose_box', 'missed_defect', 'wrong_class', 'split_needed', 'other'));
ALTER TABLE exports DROP COLUMN personal_reason, DROP COLUMN personal_open, DROP COLUMN personal;
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check
    CHECK (format IN ('coco', 'voc', 'yolo', 'yolo-obb', 'cvat', 'labelstudio', 'parquet', 'huggingface')) NOT VALID;
ALTER TABLE imports DROP CONSTRAINT imports_format_check;
ALTER TABLE imports ADD CONSTRAINT imports_format_check CHECK (format IN ('images', 'coco', 'voc', 'yolo', 'cvat', 'labelstudio')) NOT VALID;
DROP TABLE model_training;
ALTER TABLE model_versions DROP COLUMN created_by, DROP COLUMN successor_of, DROP COLUMN description;
ALTER TABLE models DROP COLUMN description;
DROP TABLE personal_scans, personal_findings;
ALTER TABLE assignments DROP COLUMN mode;
ALTER TABLE tasks DROP COLUMN plan_id;
DROP TABLE plan_items, plans;
ALTER TABLE truths DROP COLUMN rules_version;
ALTER TABLE annotations DROP COLUMN rules_version;
DELETE FROM relabel_answers WHERE relabel_id IN (SELECT id FROM relabels WHERE class_id IS NULL);
DELETE FROM relabel_items WHERE relabel_id IN (SELECT id FROM relabels WHERE class_id IS NULL);
DELETE FROM relabels WHERE class_id IS NULL;
ALTER TABLE relabels ALTER COLUMN class_id SET NOT NULL;
DROP TABLE transcription_rules;
ALTER TABLE projects DROP COLUMN prefill_mode, DROP COLUMN normalizer, DROP COLUMN context_seconds;
DELETE FROM item_notes WHERE kind = 'context';
ALTER TABLE item_notes DROP CONSTRAINT item_notes_kind_check;
ALTER TABLE item_notes ADD CONSTRAINT item_notes_kind_check CHECK (kind IN ('skip', 'review', 'mark', 'dispute'));
DROP INDEX media_reads_sound_key;
DROP TABLE wider_contexts, hypothesis_views;
DROP INDEX predictions_confidence_idx;
ALTER TABLE predictions DROP COLUMN words, DROP COLUMN confidence;
ALTER TABLE erasure_items DROP COLUMN recording_id;
DROP TABLE hypotheses, transcripts;
DROP INDEX items_utterances_idx;
DROP INDEX items_recording_idx;
ALTER TABLE items DROP CONSTRAINT items_span, DROP COLUMN ends, DROP COLUMN begins, DROP COLUMN channel, DROP COLUMN recording_id;
DROP TABLE recording_reservations, recording_silences, recording_assets, recordings;
