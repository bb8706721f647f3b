import assert from "node:assert/strict";
import { test } from "node:test";
import { tickStep } from "./ticks";

test("numbered ticks are round, and neither crowded nor lost", () => {
  for (let scale = 0.02; scale <= 64; scale *= 1.07) {
    const step = tickStep(scale);
    assert.match(String(step), /^[125]0*$/, `step ${step} at ${scale}`);
    assert.ok(step * scale >= 56, `${step * scale} px at ${scale}`);
    assert.ok(step === 1 || step * scale <= 150, `${step * scale} px at ${scale}`);
  }
});
