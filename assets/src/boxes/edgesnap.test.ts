import assert from "node:assert/strict";
import { test } from "node:test";
import { type Patch, tightened } from "./edgesnap";

// Rolled steel as far as it matters here: light that falls off to one side, streaks
// along the rolling direction, and grain. Seeded.
function steel(w: number, h: number, seed = 7): Patch {
  let s = seed;
  const noise = (): number => {
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      s = (s * 48271) % 2147483647;
      sum += s / 2147483647 - 0.5;
    }
    return sum;
  };
  const grey = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    const streak = 3 * noise();
    for (let x = 0; x < w; x++) grey[y * w + x] = 110 + 0.15 * x - 0.1 * y + streak + 5 * noise();
  }
  return { w, h, grey };
}

function paint(p: Patch, x0: number, y0: number, x1: number, y1: number, by: number): void {
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) p.grey[y * p.w + x] = (p.grey[y * p.w + x] ?? 0) + by;
  }
}

const near = (got: { x: number; y: number; w: number; h: number } | null, want: number[], slack: number): void => {
  assert.ok(got, "found nothing");
  const have = [got.x, got.y, got.x + got.w, got.y + got.h];
  have.forEach((v, i) => assert.ok(Math.abs(v - (want[i] ?? 0)) <= slack, `${have} is not ${want}`));
};

test("a loose box closes round a dark patch and round a bright line", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const dark = steel(140, 120, seed);
    paint(dark, 50, 40, 90, 70, -45);
    near(tightened(dark, { x: 35, y: 30, w: 75, h: 60 }), [49, 39, 91, 71], 1.5);
    const line = steel(200, 60, seed);
    paint(line, 40, 29, 160, 31, 60);
    near(tightened(line, { x: 25, y: 16, w: 150, h: 28 }), [39, 28, 161, 32], 2);
  }
});

test("a box that cuts its defect grows a little", () => {
  const p = steel(140, 120);
  paint(p, 50, 40, 90, 70, -45);
  near(tightened(p, { x: 53, y: 43, w: 34, h: 24 }), [49, 39, 91, 71], 1.6);
});

test("several spots are kept together, a speck far off is not", () => {
  const p = steel(160, 120);
  paint(p, 50, 40, 60, 50, -50);
  paint(p, 80, 60, 92, 72, -50);
  paint(p, 118, 88, 119, 89, -60);
  near(tightened(p, { x: 40, y: 30, w: 85, h: 65 }), [49, 39, 93, 73], 1.5);
});

test("steel with nothing on it gives nothing", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) assert.equal(tightened(steel(120, 100, seed), { x: 30, y: 30, w: 60, h: 40 }), null);
});

test("a defect at the border of the image is followed up to it", () => {
  const p = steel(120, 100);
  paint(p, 0, 0, 30, 20, -50);
  near(tightened(p, { x: 0, y: 0, w: 45, h: 35 }), [0, 0, 31, 21], 1.5);
});

test("a half covered line of pixels gives a side between two pixels", () => {
  const p: Patch = { w: 80, h: 60, grey: new Float32Array(80 * 60).fill(100) };
  paint(p, 30, 20, 50, 40, 80);
  paint(p, 29, 20, 30, 40, 40);
  const got = tightened(p, { x: 20, y: 12, w: 40, h: 36 });
  assert.ok(got);
  assert.ok(got.x > 27 && got.x < 29 && got.x + got.w > 50.5, JSON.stringify(got));
});

test("with no surroundings to compare with, nothing is claimed", () => {
  assert.equal(tightened(steel(40, 30), { x: 0, y: 0, w: 40, h: 30 }), null);
});
