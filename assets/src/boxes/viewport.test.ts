import assert from "node:assert/strict";
import { test } from "node:test";
import { Viewport } from "./viewport";

const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
const view = (): Viewport => new Viewport({ w: 1072, h: 764 }, { w: 4000, h: 3000 });

test("there and back is the same point, at any zoom", () => {
  const v = view();
  for (const f of [1, 3, 0.5, 20]) {
    v.zoomAt({ x: 300, y: 200 }, f);
    const p = v.toImage(v.toScreen({ x: 1234.5, y: 6.25 }));
    close(p.x, 1234.5);
    close(p.y, 6.25);
  }
});

test("the point under the pointer stays there while zooming", () => {
  const v = view();
  const at = { x: 500, y: 400 };
  const before = v.toImage(at);
  v.zoomAt(at, 2.5);
  const after = v.toImage(at);
  close(after.x, before.x);
  close(after.y, before.y);
});

test("fit shows all of the image clear of the rulers", () => {
  const v = view();
  const r = v.rectToScreen({ x: 0, y: 0, w: 4000, h: 3000 });
  assert.ok(r.x >= 20 && r.y >= 20 && r.x + r.w <= 1072 && r.y + r.h <= 764);
});

test("the image cannot be lost", () => {
  const v = view();
  v.panBy(1e6, -1e6);
  const m = v.toImage(v.middle());
  assert.ok(m.x >= -1e-6 && m.x <= 4000 && m.y >= 0 && m.y <= 3000 + 1e-6);
  v.zoomAt(v.middle(), 1e9);
  assert.equal(v.scale, 64);
});

test("one to one follows the density of the screen", () => {
  const v = view();
  v.actualSize(2);
  close(v.scale, 0.5);
});

test("a box out of sight is brought in without more zoom than needed", () => {
  const v = view();
  v.actualSize(1);
  v.reveal({ x: 3900, y: 2950, w: 80, h: 40 });
  close(v.scale, 1);
  const r = v.rectToScreen({ x: 3900, y: 2950, w: 80, h: 40 });
  assert.ok(r.x >= 20 && r.x + r.w <= 1072 && r.y >= 20 && r.y + r.h <= 764);
  v.reveal({ x: 0, y: 0, w: 4000, h: 100 });
  assert.ok(v.scale < 0.3);
});

test("a new size of the stage keeps a fitted image fitted, and the middle otherwise", () => {
  const v = view();
  v.resize({ w: 600, h: 500 });
  close(v.scale, v.fitScale());
  v.zoomAt({ x: 300, y: 250 }, 5);
  const before = v.toImage(v.middle());
  v.resize({ w: 900, h: 700 });
  const after = v.toImage(v.middle());
  close(after.x, before.x);
  close(after.y, before.y);
});
