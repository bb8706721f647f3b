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
  assert.deepEqual(g.sound(box(200, 100, 0, 0), bounds), box(199, 99, 1, 1));
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

const apart = (a: g.Point, b: g.Point): number => Math.hypot(a.x - b.x, a.y - b.y);
const across: Readonly<Record<g.Handle, g.Handle>> = { nw: "se", n: "s", ne: "sw", e: "w", se: "nw", s: "n", sw: "ne", w: "e" };

test("whichever handle is dragged, and back, the opposite one stays and the box is as it was", () => {
  for (let rotation = -180; rotation <= 180; rotation += 7.5) {
    const b = box(80, 40, 40, 20, rotation);
    for (const handle of g.handles) {
      const start = g.handlePoint(b, handle);
      const fixed = g.handlePoint(b, across[handle]);
      const { box: wide, handle: held } = g.resized(b, handle, { x: start.x + 7.25, y: start.y - 3.5 }, bounds);
      assert.ok(apart(g.handlePoint(wide, across[held]), fixed) < 1e-9, `${handle} at ${rotation}`);
      assert.equal(wide.rotation, rotation);
      const { box: again } = g.resized(wide, held, start, bounds);
      for (const side of ["x", "y", "w", "h"] as const) assert.ok(Math.abs(again[side] - b[side]) < 1e-9, `${side}, ${handle} at ${rotation}`);
    }
  }
});

test("a turned box grows at its right and bottom side in its own frame", () => {
  const b = box(80, 40, 40, 20, 30);
  const r = g.grown(b, 5, -3, bounds);
  assert.ok(apart(g.handlePoint(r, "nw"), g.handlePoint(b, "nw")) < 1e-9);
  assert.deepEqual([r.w, r.h, r.rotation], [45, 17, 30]);
  assert.deepEqual(g.grown(g.grown(b, 5, -3, bounds), -5, 3, bounds).w, 40);
});

test("a turned box may reach over the border, its centre may not", () => {
  const b = box(0, 40, 40, 10, 45);
  assert.deepEqual(g.moved(b, -15, 0, bounds), { ...b, x: -15 });
  assert.deepEqual(g.moved(b, -99, -99, bounds), { ...b, x: -20, y: -5 });
  assert.deepEqual(g.moved(b, 999, 999, bounds), { ...b, x: 180, y: 95 });
  assert.deepEqual(g.resized(b, "e", { x: -90, y: -90 }, bounds).box, b);
});

test("a box turns about its centre, and is pushed back inside when it stands straight", () => {
  const b = box(80, 40, 40, 20);
  const turned = g.rotated(b, 30, bounds);
  assert.deepEqual(turned, { ...b, rotation: 30 });
  assert.deepEqual(g.rotated(turned, 0, bounds), b);
  assert.deepEqual(g.rotated(box(-15, 40, 40, 20, 45), 0, bounds), box(0, 40, 40, 20));
  assert.deepEqual(g.rotated(box(60, -20, 80, 140, 90), 0, bounds), box(60, 0, 80, 100));
  assert.deepEqual(g.sound(box(50, 50, 0, 0.5, 20), bounds), box(49.5, 49.75, 1, 1, 20));
});

test("angles are kept above −180 and at most 180, and zero has no sign", () => {
  for (const [given, want] of [[0, 0], [-0, 0], [360, 0], [180, 180], [-180, 180], [181, -179], [-190, 170], [719.5, -0.5], [15.00004, 15]] as const) {
    assert.ok(Object.is(g.normal(given), want), `${given} is ${g.normal(given)}`);
  }
});

test("the knob turns as the pointer goes round the centre, from where it was grabbed", () => {
  const b = box(80, 40, 40, 20, 10);
  const c = g.centre(b);
  const knob = g.knobPoint(b, 15, false);
  assert.ok(Math.abs(apart(knob, c) - 25) < 1e-9 && apart(g.knobPoint(b, 15, true), c) - 25 < 1e-9);
  for (const [by, want, step] of [[0, 10, 0.1], [33.33, 43.3, 0.1], [-25, -15, 15], [8, 15, 15], [175, -175, 0.1], [1, 15, 15]] as const) {
    for (const grabbed of [knob, g.knobPoint(b, 15, true), { x: knob.x + 3, y: knob.y - 2 }]) {
      assert.ok(Math.abs(g.turnedBy(b, grabbed, g.turn(grabbed, c, by), step) - want) < 1e-6, `by ${by}`);
    }
  }
});

test("a turned box is hit in its own frame", () => {
  const b = box(80, 45, 40, 10, 90);
  assert.ok(g.contains(b, { x: 100, y: 68 }, 0));
  assert.ok(!g.contains(b, { x: 118, y: 50 }, 0));
  assert.equal(g.handleAt(b, { x: 100, y: 70 }, 2), "e");
  assert.equal(g.handleAt(b, { x: 95, y: 70 }, 2), "se");
  assert.equal(g.handleAt(b, { x: 118, y: 50 }, 2), null);
});
