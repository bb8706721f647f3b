import assert from "node:assert/strict";
import { test } from "node:test";
import * as g from "./geometry";

const bounds = { w: 200, h: 100 };
const box = (x: number, y: number, w: number, h: number, rotation = 0): g.Turned => ({ x, y, w, h, rotation });

test("a rectangle between corners in any order is the same, cut to the image", () => {
  const want = { x: 10, y: 20, w: 30, h: 40 };
  for (const [a, b] of [
    [{ x: 10, y: 20 }, { x: 40, y: 60 }],
    [{ x: 40, y: 60 }, { x: 10, y: 20 }],
    [{ x: 40, y: 20 }, { x: 10, y: 60 }],
  ] as const) {
    assert.deepEqual(g.between(a, b, bounds), want);
  }
  assert.deepEqual(g.between({ x: -50, y: -50 }, { x: 999, y: 999 }, bounds), { x: 0, y: 0, w: 200, h: 100 });
  assert.deepEqual(g.between({ x: 5, y: 5 }, { x: 5, y: 5 }, bounds), { x: 5, y: 5, w: 0, h: 0 });
});

test("boxes touching each border stay inside and keep their size when moved", () => {
  const cases: [g.Turned, number, number][] = [
    [box(0, 40, 10, 10), -1, 0],
    [box(190, 40, 10, 10), 1, 0],
    [box(90, 0, 10, 10), 0, -1],
    [box(90, 90, 10, 10), 0, 1],
    [box(0, 0, 200, 100), 7, -7],
  ];
  for (const [b, dx, dy] of cases) assert.deepEqual(g.moved(b, dx, dy, bounds), b);
  assert.deepEqual(g.moved(box(95, 45, 10, 10), 1000, 1000, bounds), box(190, 90, 10, 10));
});

test("each handle moves its own sides only, up to the border", () => {
  const b = box(50, 40, 20, 10);
  for (const handle of g.handles) {
    const { box: r, handle: held } = g.resized(b, handle, { x: handle.includes("w") ? -9 : 999, y: handle.includes("n") ? -9 : 999 }, bounds);
    assert.equal(held, handle);
    assert.equal(r.x, handle.includes("w") ? 0 : 50);
    assert.equal(r.y, handle.includes("n") ? 0 : 40);
    assert.equal(r.x + r.w, handle.includes("e") ? 200 : 70);
    assert.equal(r.y + r.h, handle.includes("s") ? 100 : 50);
  }
});

test("a handle dragged across the other side flips the box", () => {
  const b = box(50, 40, 20, 10);
  assert.deepEqual(g.resized(b, "nw", { x: 80, y: 60 }, bounds), { box: box(70, 50, 10, 10), handle: "se" });
  assert.deepEqual(g.resized(b, "e", { x: 30, y: 0 }, bounds), { box: box(30, 40, 20, 10), handle: "w" });
  assert.deepEqual(g.resized(b, "s", { x: 0, y: 40 }, bounds).box, box(50, 40, 20, 0));
});

test("a turned box keeps the side that is not dragged", () => {
  const b = box(80, 40, 40, 10, 30);
  const before = g.handlePoint(b, "w");
  const { box: r } = g.resized(b, "e", g.turn({ x: 130, y: 45 }, g.centre(b), 30), bounds);
  const after = g.handlePoint(r, "w");
  assert.ok(Math.hypot(before.x - after.x, before.y - after.y) < 1e-9);
  assert.ok(Math.abs(r.w - 50) < 1e-9 && r.h === 10);
});

test("growing and shrinking stop at the least size and at the border", () => {
  assert.deepEqual(g.grown(box(10, 10, 5, 5), -99, -99, bounds), box(10, 10, g.least, g.least));
  assert.deepEqual(g.grown(box(10, 10, 5, 5), 999, 999, bounds), box(10, 10, 190, 90));
  assert.deepEqual(g.atLeast(box(200, 100, 0, 0), bounds), box(199, 99, 1, 1));
});

test("a thin box can be hit, and has a body between its sides", () => {
  const scratch = box(50, 50, 100, 2);
  assert.equal(g.boxAt([scratch], { x: 100, y: 54 }, 4), scratch);
  assert.equal(g.boxAt([scratch], { x: 100, y: 56 }, 4), null);
  assert.equal(g.handleAt(scratch, { x: 100, y: 51 }, 4), null);
  assert.equal(g.handleAt(scratch, { x: 100, y: 48 }, 4), "n");
  assert.equal(g.handleAt(scratch, { x: 49, y: 50 }, 4), "nw");
  assert.equal(g.handleAt(scratch, { x: 10, y: 50 }, 4), null);
});

test("of boxes inside each other the smallest is hit", () => {
  const outer = box(0, 0, 100, 100);
  const inner = box(40, 40, 10, 10);
  assert.equal(g.boxAt([outer, inner], { x: 45, y: 45 }, 1), inner);
  assert.equal(g.boxAt([inner, outer], { x: 45, y: 45 }, 1), inner);
  assert.equal(g.boxAt([inner, outer], { x: 80, y: 80 }, 1), outer);
});

test("points near the border snap onto it, and the grid keeps it exact", () => {
  assert.deepEqual(g.snapped({ x: 1.5, y: 99 }, bounds, 2), { x: 0, y: 100 });
  assert.deepEqual(g.snapped({ x: 100, y: 50 }, bounds, 2), { x: 100, y: 50 });
  const p = g.onGrid({ x: 33.3333, y: 66.6666 });
  const r = g.between(p, { x: 200, y: 100 }, bounds);
  assert.equal(r.x + r.w, 200);
  assert.equal(r.y + r.h, 100);
  assert.ok(Math.abs(p.x - 33.3333) < 0.002);
});
