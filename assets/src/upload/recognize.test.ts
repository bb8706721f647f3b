import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { recognize, type Chosen } from "./recognize";
import { zipEntries } from "./zip";

function file(name: string, content: string | Uint8Array<ArrayBuffer> = ""): Chosen {
  const blob = new Blob([content]);
  return { name, size: blob.size, slice: (from, to) => blob.slice(from, to) };
}

/** A zip archive of these files. */
function zip(files: Readonly<Record<string, string>>, method = 8): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const plain = Buffer.from(text);
    const packed = method === 8 ? deflateRawSync(plain) : plain;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(plain.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, rest, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, list, end]));
}

const voc = "<annotation>\n<filename>a.jpg</filename>";
const cvat = '<?xml version="1.0"?>\n<annotations>\n<version>1.1</version>';
const coco = '{"info": {}, "images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}';
const results = '[{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]';
const tasks = '\uFEFF[{"id": 1, "annotations": [{"id": 3, "result": []}], "data": {"image": "a.jpg"}}]';
const annotation = '{"id": 1, "result": [], "task": {"data": {"image": "a.jpg"}}}';

const cases: readonly [string, Readonly<Record<string, string>>, string | null][] = [
  ["pictures", { "a.jpg": "", "b.png": "" }, "images"],
  ["Pascal VOC", { "JPEGImages/a.jpg": "", "Annotations/a.xml": voc, "ImageSets/Main/train.txt": "a" }, "voc"],
  ["XML that says nothing", { "a.xml": "" }, "voc"],
  ["CVAT", { "annotations.xml": cvat, "images/a.jpg": "" }, "cvat"],
  ["COCO", { "instances.JSON": coco, "a.jpg": "" }, "coco"],
  ["results of COCO", { "results.json": results }, "coco"],
  ["JSON that says nothing", { "a.json": "{" }, "coco"],
  ["tasks", { "project-1.json": tasks }, "labelstudio"],
  ["one annotation", { "7.json": annotation }, "labelstudio"],
  ["YOLO", { "data.yaml": "names: [a]", "images/train/a.jpg": "", "labels/train/a.txt": "" }, "yolo"],
  ["YOLO of Label Studio", { "classes.txt": "a", "notes.json": "{}", "labels/a.txt": "" }, "yolo"],
  ["YOLO beside the images", { "obj.names": "a", "obj_train_data/a.txt": "0", "obj_train_data/a.jpg": "" }, "yolo"],
  ["an archive of our own", { "README.txt": "a", "annotations/test.json": coco, "report.json": "{}", "images/a.jpg": "" }, "coco"],
  ["tasks of our own", { "README.txt": "a", "annotations/test.json": tasks, "labeling-interface.xml": "<View>", "report.json": "{}" }, "labelstudio"],
  ["nothing", {}, null],
];

for (const [name, files, format] of cases) {
  test(`${name} is recognized`, async () => {
    assert.equal(await recognize(Object.entries(files).map(([path, content]) => file(path, content))), format);
    assert.equal(await recognize([file("all.zip", zip(files))]), format, "deflated");
    assert.equal(await recognize([file("all.ZIP", zip(files, 0))]), format, "stored");
  });
}

test("a long file is recognized by its beginning", async () => {
  const long = tasks.slice(0, -1) + `,${tasks.slice(2, -1)}`.repeat(5000) + "]";
  assert.equal(await recognize([file("all.zip", zip({ "tasks.json": long }))]), "labelstudio");
});

test("what is no archive has no entries", async () => {
  assert.deepEqual(await zipEntries(file("a.zip", "no archive")), []);
  assert.equal(await recognize([file("a.zip", "no archive")]), null);
  const broken = zip({ "a.xml": cvat });
  broken.fill(0xff, 0, 40);
  assert.equal(await recognize([file("a.zip", broken)]), "voc");
  for (let end = 1; end < 60; end += 7) await recognize([file("a.zip", broken.slice(0, end))]);
});

test("a format of sound is recognized by names and by how files begin", async () => {
  const formats: Readonly<Record<string, readonly Chosen[]>> = {
    audio: [file("a.wav"), file("b.flac")],
    nemo: [file("a.wav"), file("manifest.jsonl", '{"audio_filepath": "a.wav", "duration": 1, "utt_id": "a"}')],
    hypotheses: [file("h.jsonl", '{"utt_id": "a", "text": "x"}')],
    labelstudio: [file("tasks.json", '[{"data": {"audio": "a.wav"}, "annotations": []}]')],
    stm: [file("a.wav"), file("all.STM")],
    textgrid: [file("a.TextGrid")],
  };
  for (const [format, files] of Object.entries(formats)) assert.equal(await recognize(files, "audio"), format);
});
