import assert from "node:assert/strict";
import { test } from "node:test";
import { Activity, countdown, Lease, scalePaths } from "./lease";

const at = (ms: number): string => new Date(ms).toISOString();
const minute = 60_000;

test("the time left goes by the server's clock", () => {
  // This browser is ten minutes behind the server.
  const lease = new Lease(at(40 * minute), 10 * minute, 0);
  assert.equal(lease.view(0).left, 30 * minute);
  assert.equal(lease.view(0).share, 1);
  assert.equal(lease.view(15 * minute).share, 0.5);
  assert.equal(lease.view(28 * minute).mood, "soon");
  assert.equal(lease.view(31 * minute).mood, "over");
  assert.equal(lease.view(31 * minute).left, 0);
  lease.renew(at(70 * minute), 30 * minute);
  assert.equal(lease.view(30 * minute).mood, "calm");
});

test("short leases are renewed more often, long ones once a minute", () => {
  assert.equal(new Lease(at(2 * minute), 0, 0).beat, minute / 2);
  assert.equal(new Lease(at(60 * minute), 0, 0).beat, minute);
});

test("time left in words", () => {
  assert.equal(countdown(27 * minute + 12_000), "27:12");
  assert.equal(countdown(500), "0:01");
  assert.equal(countdown(65 * minute), "1:05:00");
});

test("the scale has thirty ticks, wherever the hand is", () => {
  for (const share of [0, 0.001, 0.33, 0.5, 1]) {
    const { gone, rest, hand } = scalePaths(share);
    assert.equal((gone + rest).split("M").length - 1, 30);
    assert.match(hand, /^M[\d.]+ 0V16$/);
  }
  assert.equal(scalePaths(1).gone, "");
  assert.equal(scalePaths(0).rest, "");
});

test("time at work leaves out the breaks", () => {
  const a = new Activity();
  for (const t of [0, 1000, 2000, 20 * minute, 20 * minute + 500]) a.sign(t);
  assert.equal(a.milliseconds, 2000 + 30_000 + 500);
  assert.equal(a.within(1000, 20 * minute + 600), true);
  assert.equal(a.within(1000, 22 * minute), false);
});
