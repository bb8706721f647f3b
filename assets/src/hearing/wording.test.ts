import { test } from "node:test";
import assert from "node:assert/strict";
import type { Part, Segment } from "./state";
import { Wording } from "./wording";

const segment: Segment = { begin: 0, end: 4, channel: 0, speaker: "", text: "" };

function part(merged: string, ...variants: string[]): Part {
  return { segment: 0, merged, own: variants, variants: variants.map((text) => ({ text, who: "" })), begin: 0, end: 1 };
}

const parts = [part("the cat", "the cat"), part("sat", "sat", "sad", ""), part("on", "on"), part("", "", "a"), part("mat", "mat", "map")];

function fresh(): Wording {
  return new Wording(parts, [segment]);
}

test("it begins with what most have, and every difference open", () => {
  const w = fresh();
  assert.equal(w.texts[0], "the cat sat on mat");
  assert.deepEqual(w.open, [1, 3, 4]);
});

test("a variant takes the place of another, and nothing leaves a single space", () => {
  const w = fresh();
  for (const [at, text, want] of [
    [1, "sad", "the cat sad on mat"],
    [1, "", "the cat on mat"],
    [3, "a", "the cat on a mat"],
    [1, "sat", "the cat sat on a mat"],
    [4, "map", "the cat sat on a map"],
    [4, "", "the cat sat on a"],
    [3, "", "the cat sat on"],
    [4, "mat", "the cat sat on mat"],
    [3, "a", "the cat sat on a mat"],
  ] as const) {
    w.choose(at, text);
    assert.equal(w.texts[0], want);
    assert.equal(w.textOf(at), text);
  }
  assert.deepEqual(w.open, []);
});

test("typing moves what is behind it, and decides the place that it is in", () => {
  const w = fresh();
  w.type(0, "well the cat sat on mat");
  assert.deepEqual(w.open, [1, 3, 4]);
  w.choose(4, "map");
  assert.equal(w.texts[0], "well the cat sat on map");
  w.type(0, "well the cat sits on map");
  assert.ok(w.isTyped(1) && !w.isOpen(1));
  assert.equal(w.textOf(1), "sits");
  w.choose(1, "sad");
  assert.equal(w.texts[0], "well the cat sad on map");
  assert.ok(!w.isTyped(1));
});

test("an answer taken whole decides all, until something is typed", () => {
  const w = fresh();
  w.take("B", (p) => p.own[1] ?? p.merged);
  assert.equal(w.texts[0], "the cat sad on a map");
  assert.equal(w.whole, "B");
  assert.deepEqual(w.open, []);
  w.type(0, "the cat sad on a map.");
  assert.equal(w.whole, null);
});

// Whatever is chosen and typed in whatever order, parts stay in their order and inside the text.
test("parts never overlap", () => {
  let seed = 7;
  const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let run = 0; run < 300; run++) {
    const w = fresh();
    for (let step = 0; step < 12; step++) {
      const text = w.texts[0] ?? "";
      if (random(2) === 0) {
        const at = [1, 3, 4][random(3)] ?? 1;
        const variants = parts[at]?.variants ?? [];
        const chosen = variants[random(variants.length)]?.text ?? "";
        w.choose(at, chosen);
        assert.equal(w.textOf(at), chosen);
      } else {
        const from = random(text.length + 1);
        const to = Math.min(text.length, from + random(4));
        w.type(0, text.slice(0, from) + ["x", "", "y z", " "][random(4)] + text.slice(to));
      }
      let last = 0;
      for (const piece of (w as unknown as { pieces: { from: number; to: number }[][] }).pieces[0] ?? []) {
        assert.ok(piece.from >= last && piece.to >= piece.from && piece.to <= (w.texts[0] ?? "").length, `run ${run}, step ${step}`);
        last = piece.to;
      }
    }
  }
});
