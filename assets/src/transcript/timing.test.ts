import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeardWord } from "../boxes/contract";
import { alternatives, doubtOf, nextDoubt, spanOf, timeAt, timing, wordAtTime } from "./timing";

const word = (text: string, start: number, end: number, confidence: number | null = 0.95): HeardWord => ({ word: text, start, end, confidence });
const heard = [word("hello", 0, 0.5), word("my", 0.5, 0.7, 0.6), word("name", 0.7, 1.2, 0.3), word("is", 1.2, 1.4), word("anna", 1.5, 2)];
const whole = (text: string) => [{ begin: 0, end: 2, text }];

test("words that stand as they were heard have their times and confidence", () => {
  const t = timing(whole("Hello, my name is Anna."), heard);
  assert.equal(t.edits, 0);
  assert.equal(t.of, 5);
  assert.deepEqual(t.words.map((w) => [w.start, w.confidence]), [[0, 0.95], [0.5, 0.6], [0.7, 0.3], [1.2, 0.95], [1.5, 0.95]]);
});

test("after edits the words round them keep their times", () => {
  const t = timing(whole("hello my dear nine is anna"), heard);
  assert.equal(t.edits, 2);
  assert.deepEqual(t.words.map((w) => w.origin).filter((o) => o !== "heard").sort(), ["added", "changed"]);
  assert.equal(t.words[1]?.start, 0.5);
  assert.equal(t.words.at(-1)?.start, 1.5);
  assert.ok(t.words.every((w, i) => w.start >= (t.words[i - 1]?.start ?? 0) && w.end >= w.start), JSON.stringify(t.words));
});

test("without a hypothesis words share the time of their segment by their length", () => {
  const t = timing([{ begin: 1, end: 2, text: "a bcd" }, { begin: 2, end: 4, text: "e" }], []);
  assert.equal(t.exact, false);
  assert.deepEqual(t.words.map((w) => [w.segment, w.start, w.end]), [[0, 1, 1 + 2 / 6], [0, 1 + 2 / 6, 2], [1, 2, 4]]);
});

test("doubt has three degrees", () => {
  assert.deepEqual([0.49, 0.5, 0.75, 0.9, null].map(doubtOf), [1, 2, 3, 0, 0]);
});

test("the next doubtful word, the one before, and round at the ends", () => {
  const { words } = timing(whole("hello my name is anna"), heard);
  assert.equal(nextDoubt(words, 0, 0, 1)?.text, "my");
  assert.equal(nextDoubt(words, 0, 6, 1)?.text, "name");
  assert.equal(nextDoubt(words, 0, 9, 1)?.text, "my");
  assert.equal(nextDoubt(words, 0, 20, -1)?.text, "name");
  assert.equal(nextDoubt(words, 0, 0, -1)?.text, "name");
  // Whoever mends a word need not look at it again.
  assert.equal(nextDoubt(timing(whole("hello me nine is anna"), heard).words, 0, 0, 1), null);
});

test("between text and time, both ways", () => {
  const { words } = timing(whole("hello my name is anna"), heard);
  assert.equal(wordAtTime(words, 0.6)?.text, "my");
  assert.equal(wordAtTime(words, 1.45), null);
  assert.equal(timeAt(words, 0, 10), 0.7);
  assert.equal(timeAt(words, 0, 5), 0);
  assert.deepEqual(spanOf(words, 0, 7, 12), { begin: 0.5, end: 1.2 });
  assert.equal(spanOf(words, 0, 5, 6), null);
  const added = timing(whole("hello my dear name is anna"), heard).words;
  assert.deepEqual(spanOf(added, 0, 9, 13), { begin: 0.6, end: 0.7 + 0.1 });
});

test("what else was heard, each wording once, the surest first", () => {
  const other = [word("hello", 0, 0.5, 0.9), word("mine", 0.5, 1.2, 0.4)];
  assert.deepEqual(alternatives([heard, other], 0.7, 1.2), [{ text: "mine", confidence: 0.4 }, { text: "name", confidence: 0.3 }]);
  assert.deepEqual(alternatives([heard, other], 0, 0.5), [{ text: "hello", confidence: 0.95 }]);
  assert.deepEqual(alternatives([[]], 0, 1), []);
});
