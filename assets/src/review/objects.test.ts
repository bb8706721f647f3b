import assert from "node:assert/strict";
import { test } from "node:test";
import type { Box } from "../boxes/model";
import { type Matching, Objects, type Thing } from "./objects";

const box = (id: string, x: number, kind = 1): Box => ({ id, class: kind, x, y: 10, w: 20, h: 10, rotation: 0 });

const overlays = [
  { id: "A", style: 0, boxes: [box("A0", 10), box("A1", 100)] },
  { id: "B", style: 1, boxes: [box("B0", 12, 2)] },
  { id: "C", style: 2, boxes: [box("C0", 13), box("C1", 102)] },
];
const differs: Thing = {
  id: "o1",
  members: [
    { answer: "A", box: "A0", fault: "" },
    { answer: "B", box: "B0", fault: "wrong_class" },
    { answer: "C", box: "C0", fault: "loose_box" },
  ],
  wide: [],
  missing: [],
  merged: box("o1", 12),
  settled: false,
};
const missed: Thing = {
  id: "o2",
  members: [
    { answer: "A", box: "A1", fault: "" },
    { answer: "C", box: "C1", fault: "" },
  ],
  wide: [],
  missing: ["B"],
  merged: box("o2", 101),
  settled: false,
};
const matching: Matching = { objects: [differs, missed], truth: [box("o2", 104), box("t1", 300)] };
const objects = new Objects(matching, overlays);

test("a whole answer comes under the objects' ids", () => {
  assert.deepEqual(objects.whole("A"), [box("o1", 10), box("o2", 100)]);
  assert.deepEqual(objects.whole("B"), [box("o1", 12, 2)]);
  assert.deepEqual(objects.whole("merged"), [box("o1", 12), box("o2", 101)]);
  assert.deepEqual(objects.whole("truth"), matching.truth);
  assert.equal(objects.wholeOf([box("x", 100), box("y", 10)], ["A", "B", "merged"]), "A");
  assert.equal(objects.wholeOf([box("x", 100)], ["A", "B", "merged"]), null);
});

test("what is decided about an object is read from its box", () => {
  assert.equal(objects.status(differs, null, false), "open");
  assert.equal(objects.status(differs, null, true), "out");
  assert.equal(objects.status(differs, box("o1", 12), true), "merged");
  assert.deepEqual(objects.status(differs, box("o1", 12, 2), false), { answer: "B" });
  assert.deepEqual(objects.status(differs, box("o1", 10), true), { answer: "A" });
  assert.equal(objects.status(differs, box("o1", 10.5), true), "amended");
});

test("a box belongs to its object, whosever it is", () => {
  assert.equal(objects.of("B0"), differs);
  assert.equal(objects.of("o2"), missed);
  assert.equal(objects.of("drawn"), null);
  assert.equal(objects.ownIds().get("C1"), "o2");
  assert.deepEqual(objects.lights(missed), ["o2", "A1", "C1"]);
});

test("the gravest fault says whose answer goes back, pinned to its box or its place", () => {
  assert.deepEqual(objects.suggestions(differs), [{ answer: "B", fault: "wrong_class" }]);
  assert.deepEqual(objects.suggestions(missed), [{ answer: "B", fault: "missed_defect" }]);
  assert.deepEqual(objects.pin(differs, "B"), { position: 0, x: null, y: null });
  assert.deepEqual(objects.pin(missed, "C"), { position: 1, x: null, y: null });
  assert.deepEqual(objects.pin(missed, "B"), { position: null, x: 111, y: 15 });
});
