import assert from "node:assert/strict";
import { test } from "node:test";
import { knobOf } from "./knob";
import { Viewport } from "./viewport";

const box = (x: number, y: number, rotation = 0) => ({ x, y, w: 40, h: 20, rotation });

test("the knob sits above the box, or below it where the stage ends", () => {
  const view = new Viewport({ w: 420, h: 320 }, { w: 200, h: 100 });
  const middle = knobOf(box(80, 40), view);
  assert.equal(middle.below, false);
  assert.ok(middle.at.x === 100 && middle.at.y < 40);
  view.zoomAt(view.toScreen({ x: 100, y: 0 }), 4);
  view.panBy(0, -view.toScreen({ x: 0, y: 0 }).y + view.inset);
  const top = knobOf(box(80, 0), view);
  assert.equal(top.below, true);
  assert.ok(top.at.y > 20);
  assert.ok(knobOf(box(80, 0, 180), view).at.y > 20, "what is turned over has its top at the bottom");
});
