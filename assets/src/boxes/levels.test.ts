import assert from "node:assert/strict";
import { test } from "node:test";
import { matrix, neutral, shownWindow } from "./levels";

const grey16 = (m: number[], v: number): number => {
  const r = Math.floor(v / 256) / 255;
  const g = (v % 256) / 255;
  return (m[0] ?? 0) * r + (m[1] ?? 0) * g + (m[4] ?? 0);
};

test("neutral levels leave an 8-bit image alone", () => {
  assert.equal(matrix(null, neutral), null);
});

test("contrast turns about the middle grey, brightness shifts", () => {
  const m = matrix(null, { brightness: 0, contrast: 0.5 });
  assert.ok(m);
  assert.ok(Math.abs((m[0] ?? 0) * 0.5 + (m[4] ?? 0) - 0.5) < 1e-9);
  assert.ok((m[0] ?? 0) > 1);
  assert.ok(Math.abs((matrix(null, { brightness: 0.2, contrast: 0 })?.[4] ?? 0) - 0.2) < 1e-9);
});

test("a 16-bit window runs from black to white over its own values", () => {
  const m = matrix({ low: 1200, high: 53000 }, neutral);
  assert.ok(m);
  assert.ok(Math.abs(grey16(m, 1200)) < 1e-3);
  assert.ok(Math.abs(grey16(m, 53000) - 1) < 1e-3);
  assert.ok(Math.abs(grey16(m, 27100) - 0.5) < 1e-3);
});

test("more contrast is a narrower window, brighter is a lower one", () => {
  const w = { low: 10000, high: 30000 };
  const narrow = shownWindow(w, { brightness: 0, contrast: 1 });
  assert.ok(Math.abs(narrow.high - narrow.low - 4000) < 1e-6);
  assert.equal(shownWindow(w, { brightness: 0.5, contrast: 0 }).low, 0);
});
