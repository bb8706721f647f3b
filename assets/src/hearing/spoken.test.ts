import assert from "node:assert/strict";
import { test } from "node:test";
import { madeOf } from "./spoken";

test("it says how much is taken, and what is still to judge", () => {
  assert.equal(madeOf(["one"], 0), "1 word");
  assert.equal(madeOf(["one two", " three "], 1), "3 words; 1 place is still to judge");
  assert.equal(madeOf([""], 2), "0 words; 2 places are still to judge");
});
