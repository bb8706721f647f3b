import assert from "node:assert/strict";
import { test } from "node:test";
import { align, edits, keyOf, tokenAt, tokens } from "./words";

const split = (text: string): string[] => (text === "" ? [] : text.split(" "));

test("a text is cut into words and tags, each where it stands", () => {
  const found = tokens("Hello,  [no speech]it's me");
  assert.deepEqual(found.map((t) => [t.text, t.from, t.to, t.tag]), [["Hello,", 0, 6, false], ["[no speech]", 8, 19, true], ["it's", 19, 23, false], ["me", 24, 26, false]]);
  assert.deepEqual(tokens("a [b").map((t) => [t.text, t.tag]), [["a", false], ["[", false], ["b", false]]);
  assert.deepEqual(tokens(" \t"), []);
});

test("words are compared without case and punctuation", () => {
  assert.equal(keyOf("Twice,"), keyOf("twice"));
  assert.equal(keyOf("it’s"), "it's");
  assert.equal(keyOf("—"), "—");
  assert.notEqual(keyOf("two"), keyOf("too"));
});

test("the word at the cursor is the one it is in, or the one that ends there", () => {
  const list = tokens("my name is");
  assert.equal(tokenAt(list, 4)?.text, "name");
  assert.equal(tokenAt(list, 2)?.text, "my");
  assert.equal(tokenAt(list, 7)?.text, "name");
  assert.equal(tokenAt(tokens("a  b"), 2), null);
});

test("alignments have the fewest edits", () => {
  const cases: [string, string, number[], number][] = [
    ["a b c", "a b c", [0, 1, 2], 0],
    ["a x c", "a b c", [0, 1, 2], 1],
    ["a c", "a b c", [0, 2], 1],
    ["a b b c", "a b c", [0, 1, -1, 2], 1],
    ["", "a b", [], 2],
    ["a", "", [-1], 1],
  ];
  for (const [a, b, places, n] of cases) {
    const [x, y] = [split(a), split(b)];
    const found = align(x, y);
    assert.equal(edits(x, y, found), n, `${a} against ${b}`);
    if (a !== "a b b c") assert.deepEqual([...found], places, `${a} against ${b}`);
  }
});

// The distance by the textbook, to hold the alignment to it.
function distance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min((row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1), (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    row = next;
  }
  return row[b.length] ?? 0;
}

test("of many texts, places rise and edits are the distance", () => {
  let seed = 7;
  const random = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 300; round++) {
    const make = (): string[] => Array.from({ length: random(9) }, () => "abc"[random(3)] ?? "a");
    const [a, b] = [make(), make()];
    const places = align(a, b);
    const used = [...places].filter((p) => p >= 0);
    assert.ok(used.every((p, i) => i === 0 || p > (used[i - 1] ?? -1)), `${a} against ${b}: ${used}`);
    assert.equal(edits(a, b, places), distance(a, b), `${a} against ${b}`);
  }
});

test("a long conversation is aligned in no time, and well", () => {
  const b = Array.from({ length: 6000 }, (_, i) => (i % 3 === 0 ? `word${i}` : "the"));
  const a = b.map((w, i) => (i % 50 === 10 ? "other" : w));
  const began = performance.now();
  const found = align(a, b);
  assert.ok(performance.now() - began < 2000);
  assert.equal(edits(a, b, found), a.filter((w, i) => w !== b[i]).length);
});
