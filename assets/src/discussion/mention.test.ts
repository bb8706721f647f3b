import assert from "node:assert/strict";
import { test } from "node:test";

import { completed, matching, partial } from "./mention";

test("a name is typed from an @ that begins a word", () => {
  assert.deepEqual(partial("see @ad", 7), { start: 4, query: "ad" });
  assert.deepEqual(partial("@", 1), { start: 0, query: "" });
  assert.deepEqual(partial("(@Labeler A", 11), { start: 1, query: "Labeler A" });
  assert.equal(partial("ada@example", 11), null);
  assert.equal(partial("@ada\nnext", 9), null);
  assert.equal(partial("no at", 5), null);
});

test("every word typed begins a word of the name", () => {
  const people = ["Ada Okafor", "Labeler A", "Tomasz Król"];
  assert.deepEqual(matching(people, ""), people);
  assert.deepEqual(matching(people, "ok"), ["Ada Okafor"]);
  assert.deepEqual(matching(people, "a"), ["Ada Okafor", "Labeler A"]);
  assert.deepEqual(matching(people, "kr tom"), ["Tomasz Król"]);
  assert.deepEqual(matching(people, "ada said"), []);
});

test("the name takes the place of what was typed", () => {
  const at = { start: 4, query: "ad" };
  assert.deepEqual(completed("see @ad", at, "Ada Okafor"), { text: "see @Ada Okafor ", caret: 16 });
  assert.deepEqual(completed("see @ad here", at, "Ada Okafor"), { text: "see @Ada Okafor here", caret: 15 });
});
