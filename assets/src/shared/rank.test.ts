import assert from "node:assert/strict";
import { test } from "node:test";

import { rank } from "./rank";

function best(query: string, ...labels: string[]): string | undefined {
  return labels
    .map((label) => ({ label, score: rank(query, label) }))
    .filter((row): row is { label: string; score: number } => row.score !== undefined)
    .sort((a, b) => b.score - a.score)[0]?.label;
}

test("the beginnings of words count most", () => {
  assert.equal(best("ft", "Load tests", "Feeds & gates", "Freeze truth"), "Freeze truth");
  assert.equal(best("pro", "Approve", "Projects"), "Projects");
});

test("a label without the letters in order is no answer", () => {
  assert.equal(rank("xyz", "Projects"), undefined);
  assert.equal(best("stcejorp", "Projects"), undefined);
});

test("an empty query takes every label, spaces do not count", () => {
  assert.notEqual(rank("", "Projects"), undefined);
  assert.equal(rank("my queue", "My queue"), rank("myqueue", "My queue"));
});
