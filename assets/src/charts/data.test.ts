import assert from "node:assert/strict";
import { test } from "node:test";
import { align, type Point, reach } from "./data";

function point(x: number, y: number, series = 0, low: number | null = null, high: number | null = null): Point {
  return { x, y, low, high, series, current: false, words: "", href: "" };
}

test("points of several series share one axis in the order of time", () => {
  const { xs, series } = align([point(30, 3), point(10, 1), point(20, 2, 1), point(10, 9, 1)]);
  assert.deepEqual(xs, [10, 20, 30]);
  assert.deepEqual(
    series.map((line) => line.map((p) => p?.y ?? null)),
    [
      [1, null, 3],
      [9, 2, null],
    ],
  );
});

test("of two points at one place the later in the table counts", () => {
  assert.equal(align([point(1, 0.5), point(1, 0.7)]).series[0]?.[0]?.y, 0.7);
});

test("the axis holds every interval, with room round it", () => {
  const [low, high] = reach([point(1, 0.7, 0, 0.6, 0.8), point(2, 0.5, 1)]);
  assert.ok(low < 0.5 && low > 0.45 && high > 0.8 && high < 0.85, `${low} to ${high}`);
});

test("the axis of one point has a height", () => {
  const [low, high] = reach([point(1, 0.7)]);
  assert.ok(high > low);
});

test("nothing has no series", () => {
  assert.deepEqual(align([]), { xs: [], series: [] });
});
