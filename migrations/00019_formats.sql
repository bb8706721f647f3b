-- +goose Up

ALTER TABLE imports DROP CONSTRAINT imports_format_check;
ALTER TABLE imports ADD CONSTRAINT imports_format_check CHECK (format IN ('images', 'coco', 'voc', 'yolo', 'cvat', 'labelstudio'));

ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check CHECK (format IN ('coco', 'voc', 'yolo', 'yolo-obb', 'cvat', 'labelstudio'));

-- lost: what came in otherwise than it stood in its file (clipped, rounded, renamed, left out).
ALTER TABLE import_results DROP CONSTRAINT import_results_outcome_check;
ALTER TABLE import_results ADD CONSTRAINT import_results_outcome_check CHECK (outcome IN ('added', 'changed', 'unchanged', 'refused', 'lost'));

-- A dry run makes nothing, so that the source it names may not be there.
ALTER TABLE imports ALTER COLUMN source_id DROP NOT NULL;
ALTER TABLE imports ADD CONSTRAINT imports_source_check CHECK (source_id IS NOT NULL OR coalesce((options->>'dry_run')::boolean, false));

-- The names of the classes that an import added to the defect book, or that a dry run would add.
ALTER TABLE imports ADD COLUMN new_classes text[] NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE imports DROP COLUMN new_classes;
DELETE FROM import_results WHERE outcome = 'lost';
DELETE FROM import_results WHERE import_id IN (SELECT id FROM imports WHERE source_id IS NULL);
DELETE FROM import_files WHERE import_id IN (SELECT id FROM imports WHERE source_id IS NULL);
DELETE FROM imports WHERE source_id IS NULL;
ALTER TABLE imports DROP CONSTRAINT imports_source_check;
ALTER TABLE imports ALTER COLUMN source_id SET NOT NULL;
ALTER TABLE import_results DROP CONSTRAINT import_results_outcome_check;
ALTER TABLE import_results ADD CONSTRAINT import_results_outcome_check CHECK (outcome IN ('added', 'changed', 'unchanged', 'refused'));
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check CHECK (format IN ('coco', 'voc')) NOT VALID;
ALTER TABLE imports DROP CONSTRAINT imports_format_check;
ALTER TABLE imports ADD CONSTRAINT imports_format_check CHECK (format IN ('images', 'coco', 'voc')) NOT VALID;
