import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Finding, type Rules, check, unitAt } from "./rules";

interface Case {
  readonly name: string;
  readonly rules: Rules;
  readonly text: string;
  readonly findings: readonly Finding[];
}

for (const c of JSON.parse(readFileSync("internal/speech/testdata/rules.json", "utf8")) as readonly Case[]) {
  test(`rules: ${c.name}`, () => {
    assert.deepEqual(check(c.rules, c.text), c.findings);
  });
}

test("a place in code points becomes one of the string", () => {
  const text = "a😀b";
  assert.deepEqual([0, 1, 2, 3, 9].map((point) => unitAt(text, point)), [0, 1, 3, 4, 4]);
});
