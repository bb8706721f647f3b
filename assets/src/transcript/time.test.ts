import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, markStep, stretch, View } from "./time";

test("times are written as on a clock", () => {
  assert.equal(clock(9.26), "0:09.26");
  assert.equal(clock(0, 0), "0:00");
  assert.equal(clock(59.999, 1), "1:00.0");
  assert.equal(clock(75.5, 0), "1:16");
  assert.equal(clock(-2.5), "−0:02.50");
  assert.equal(clock(-0.001), "0:00.00");
  assert.equal(stretch(8.6, 14.46), "8.6–14.5 s");
});

test("the marks of an axis have room", () => {
  assert.equal(markStep(82), 1);
  assert.equal(markStep(10), 10);
  assert.equal(markStep(800), 0.1);
  assert.equal(markStep(0.001), 7200);
});

test("a short sound fills the window, a long one is scrolled within its ends", () => {
  const short = new View(0, 5, 1000);
  assert.equal(short.scale, 200);
  const long = new View(-2, 58, 820);
  assert.equal(long.scale, 82);
  assert.equal(long.x(-2), 0);
  long.scrollTo(99);
  assert.equal(long.right, 58);
  long.scrollTo(-99);
  assert.equal(long.left, -2);
});

test("zooming leaves the time under the pointer where it is", () => {
  const view = new View(0, 60, 1000);
  view.scrollTo(20);
  const time = view.time(300);
  view.zoom(1, 300);
  assert.ok(Math.abs(view.time(300) - time) < 1e-9);
  for (let i = 0; i < 50; i++) view.zoom(-1, 300);
  assert.ok(Math.abs(view.right - view.left - 60) < 1e-9);
});

test("the page turns when the play head leaves it", () => {
  const view = new View(0, 60, 820);
  assert.equal(view.follow(5), false);
  assert.equal(view.follow(9.9), true);
  assert.ok(view.left > 9 && view.left <= 9.9);
  view.scrollTo(50);
  assert.equal(view.follow(59.9), false);
});
