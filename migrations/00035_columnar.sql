-- +goose Up

ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check
    CHECK (format IN ('coco', 'voc', 'yolo', 'yolo-obb', 'cvat', 'labelstudio', 'parquet', 'huggingface'));

-- +goose Down
ALTER TABLE exports DROP CONSTRAINT exports_format_check;
ALTER TABLE exports ADD CONSTRAINT exports_format_check
    CHECK (format IN ('coco', 'voc', 'yolo', 'yolo-obb', 'cvat', 'labelstudio')) NOT VALID;
