import assert from "node:assert/strict";
import { test } from "node:test";
import type { Segment } from "../boxes/contract";
import { Script } from "./script";

const made = (...segments: Segment[]): Script => new Script({ boxes: [], transcript: segments }, 10, () => {});
const one = (text: string): Script => made({ begin: 0, end: 10, text });
const texts = (s: Script): string[] => s.parts.map((p) => p.text);
const caret = (from: number) => ({ segment: 0, from, to: from });

test("typing within a word is one step of undo, a new word and a pause begin another", () => {
  const s = one("");
  let text = "";
  [..."hi you"].forEach((c, i) => s.write(0, (text += c), caret(text.length), i * 100));
  s.undo();
  assert.deepEqual(texts(s), ["hi "]);
  s.undo();
  assert.deepEqual(texts(s), ["hi"]);
  s.undo();
  assert.deepEqual(texts(s), [""]);
  assert.equal(s.undo(), null);
  s.redo();
  assert.deepEqual(texts(s), ["hi"]);
  const slow = one("");
  slow.write(0, "a", caret(1), 0);
  slow.write(0, "ab", caret(2), 5000);
  slow.undo();
  assert.deepEqual(texts(slow), ["a"]);
});

test("a segment is split at the cursor, and joined again as it was", () => {
  const s = one("hello there  you");
  s.split(0, 12, 4.5);
  assert.deepEqual(s.parts.map((p) => [p.begin, p.end, p.text]), [[0, 4.5, "hello there"], [4.5, 10, "you"]]);
  assert.deepEqual(s.caret, { segment: 1, from: 0, to: 0 });
  s.join(1);
  assert.deepEqual(s.parts.map((p) => [p.begin, p.end, p.text]), [[0, 10, "hello there you"]]);
  assert.deepEqual(s.caret, { segment: 0, from: 12, to: 12 });
  s.undo();
  s.undo();
  assert.deepEqual(texts(s), ["hello there  you"]);
});

test("a split lies inside, whatever time it is given, and in proportion without one", () => {
  const s = one("abcd efgh");
  s.split(0, 4, 99);
  assert.deepEqual([s.parts[0]?.end, s.parts[1]?.begin], [9.95, 9.95]);
  s.undo();
  s.split(0, 4, null);
  assert.equal(s.parts[0]?.end, 4.444);
  const short = made({ begin: 0, end: 0.06, text: "a b" });
  short.split(0, 1, null);
  assert.equal(short.parts.length, 1);
});

test("what a segment is set to takes along the neighbour that touched it, and never turns it over", () => {
  const s = made({ begin: 0, end: 4, text: "a" }, { begin: 4, end: 8, text: "b" });
  assert.equal(s.retime(0, "end", 5), true);
  assert.deepEqual(s.parts.map((p) => [p.begin, p.end]), [[0, 5], [5, 8]]);
  assert.equal(s.retime(1, "begin", 9), false);
  assert.equal(s.retime(1, "end", 99), true);
  assert.equal(s.parts[1]?.end, 10);
  assert.equal(s.retime(0, "begin", 5.5), false);
  const apart = made({ begin: 0, end: 3, text: "a" }, { begin: 4, end: 8, text: "b" });
  apart.retime(0, "end", 3.5);
  assert.equal(apart.parts[1]?.begin, 4);
});

test("speakers go round: nobody, A, B, and one more than there are", () => {
  const s = one("x");
  assert.deepEqual([1, 2, 3].map(() => s.nextSpeaker(0)), ["A", "B", ""]);
  const two = made({ begin: 0, end: 5, speaker: "A", text: "" }, { begin: 5, end: 10, speaker: "B", text: "" });
  assert.equal(two.nextSpeaker(1), "C");
});

test("channels go round", () => {
  const s = one("x");
  assert.deepEqual([1, 2, 3].map(() => s.nextChannel(0, 2)), [1, 2, 0]);
});

test("a moment is marked, taken away by the same key, and undone with the text in their order", () => {
  const s = one("hello");
  assert.equal(s.mark(7, { begin: 1, end: 2.5 }), "marked");
  s.write(0, "hello you", caret(9), 0);
  assert.deepEqual(s.moments.map((m) => [m.class, m.x, m.w, m.y, m.h]), [[7, 1, 1.5, 0, 1]]);
  s.undo();
  assert.deepEqual([texts(s), s.moments.length], [["hello"], 1]);
  s.undo();
  assert.equal(s.moments.length, 0);
  s.redo();
  assert.equal(s.mark(7, { begin: 1.001, end: 2.5 }), "taken away");
  assert.equal(s.mark(7, { begin: -1, end: 99 }), "marked");
  assert.deepEqual(s.moments.map((m) => [m.x, m.w]), [[0, 10]]);
  const id = s.moments[0]?.id ?? "";
  s.remark(id, { begin: 2, end: 1 }, 0);
  assert.deepEqual(s.moments.map((m) => [m.x, m.w]), [[2, 0.05]]);
  s.unmark(id);
  assert.equal(s.moments.length, 0);
});

test("theirs taken is one step, which undo takes back with everything", () => {
  const s = one("mine");
  s.mark(1, { begin: 0, end: 10 });
  s.take({ boxes: [], transcript: [{ begin: 0, end: 10, text: "theirs" }] }, "Theirs taken");
  assert.deepEqual([texts(s), s.moments.length], [["theirs"], 0]);
  s.undo();
  assert.deepEqual([texts(s), s.moments.length], [["mine"], 1]);
});

test("what is sent bears no ids of the page", () => {
  const s = made({ begin: 0, end: 5, channel: 1, speaker: "A", text: "x" }, { begin: 5, end: 10, text: "" });
  assert.deepEqual(s.content.transcript, [{ begin: 0, end: 5, channel: 1, speaker: "A", text: "x" }, { begin: 5, end: 10, text: "" }]);
  assert.equal(one("").parts.length, 1);
  assert.deepEqual(made().content.transcript, [{ begin: 0, end: 10, text: "" }]);
});
