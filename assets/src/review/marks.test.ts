import assert from "node:assert/strict";
import { test } from "node:test";
import { type Mark, targetOf, withMark } from "./marks";

const box = (id: string) => ({ id, class: 1, x: 10, y: 20, w: 4, h: 6, rotation: 0 });

test("a mark is about the answer's box, about a place, or about the whole", () => {
  const answer = [box("0"), box("1")];
  assert.deepEqual(targetOf(null, answer, "Scratch"), { words: "about the whole answer", position: null, x: null, y: null });
  assert.deepEqual(targetOf(box("1"), answer, "Scratch"), { words: "about box 2, Scratch", position: 1, x: null, y: null });
  assert.deepEqual(targetOf(box("drawn"), answer, "Scratch"), { words: "about the place at 12, 23", position: null, x: 12, y: 23 });
});

test("the same fault at the same box is said once", () => {
  const loose: Mark = { annotation: 7, fault: "loose_box", note: "", position: 0, x: null, y: null };
  const other: Mark = { ...loose, position: 1 };
  const again: Mark = { ...loose, note: "Left edge." };
  assert.deepEqual(withMark(withMark([loose], other), again), [other, again]);
  assert.deepEqual(withMark([again], loose), [again]);
  const elsewhere: Mark = { ...loose, annotation: 8 };
  assert.deepEqual(withMark([loose], elsewhere), [loose, elsewhere]);
});
