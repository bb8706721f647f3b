import assert from "node:assert/strict";
import { test } from "node:test";
import { adding, altering, History, removing, replacing, replacingAll } from "./commands";
import { type Box, Boxes } from "./model";

const box = (id: string, x = 0): Box => ({ id, class: 1, x, y: 0, w: 10, h: 10, rotation: 0 });

// A small generator with a seed, so that a failing walk can be repeated.
function random(seed: number): () => number {
  let s = seed;
  return () => {
    s = (s * 48271) % 2147483647;
    return s / 2147483647;
  };
}

function step(boxes: Boxes, history: History, next: () => number, i: number): void {
  const some = boxes.all[Math.floor(next() * boxes.all.length)];
  const kind = Math.floor(next() * 5);
  if (kind === 0 || !some) history.run("add", adding(boxes, box(`n${i}`, next() * 100)));
  else if (kind === 1) history.run("remove", removing(boxes, some.id));
  else if (kind === 2) history.run("move", replacing(boxes, { ...some, x: next() * 100 }), `move ${some.id}`, i * 300);
  else if (kind === 3) history.run("class", replacing(boxes, { ...some, class: 2 + Math.floor(next() * 3) }));
  else if (next() < 0.1) history.run("take over", replacingAll(boxes, [box("t1"), box("t2"), box(`t${i}`)]));
  else history.undo();
}

test("undo all is the start, redo all is the end, on 200 random walks", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const boxes = new Boxes([box("a"), box("b"), box("c")]);
    const start = [...boxes.all];
    const history = new History(boxes);
    for (let i = 0; i < 120; i++) step(boxes, history, next, i);
    while (history.canRedo) history.redo();
    const end = [...boxes.all];
    let undone = 0;
    while (history.undo() !== null) undone++;
    assert.deepEqual(boxes.all, start, `seed ${seed}`);
    let redone = 0;
    while (history.redo() !== null) redone++;
    assert.deepEqual(boxes.all, end, `seed ${seed}`);
    assert.equal(redone, undone);
  }
});

test("presses of one kind soon after each other are one step, later ones are not", () => {
  const boxes = new Boxes([box("a")]);
  const history = new History(boxes);
  const nudge = (x: number, now: number): void => history.run("move", replacing(boxes, box("a", x)), "nudge a", now);
  nudge(1, 0);
  nudge(2, 500);
  nudge(3, 1000);
  nudge(4, 5000);
  assert.equal(history.undo(), "move");
  assert.equal(boxes.get("a")?.x, 3);
  history.undo();
  assert.equal(boxes.get("a")?.x, 0);
  assert.equal(history.canUndo, false);
});

test("a new command after undo ends what could be redone", () => {
  const boxes = new Boxes([]);
  const history = new History(boxes);
  history.run("add", adding(boxes, box("a")));
  history.undo();
  history.run("add", adding(boxes, box("b")));
  assert.equal(history.redo(), null);
  assert.deepEqual(boxes.all.map((b) => b.id), ["b"]);
});

test("what changes nothing is no step", () => {
  const boxes = new Boxes([box("a")]);
  const history = new History(boxes);
  history.run("move", replacing(boxes, box("a")));
  history.run("remove", removing(boxes, "nobody"));
  assert.equal(history.canUndo, false);
});

test("several boxes changed at once, with something beside them, are one step", () => {
  const start = [box("a"), box("b"), box("c")];
  const boxes = new Boxes(start);
  const history = new History(boxes);
  let judged = "none";
  const aside = { redo: () => void (judged = "all"), undo: () => void (judged = "none") };
  history.runWith("Taken", altering(boxes, [box("c", 5), box("d"), box("a")], ["b", "missing"]), aside);
  assert.deepEqual(boxes.all, [box("a"), box("c", 5), box("d")]);
  assert.equal(judged, "all");
  history.runWith("Left out", [], { redo: () => void (judged = "out"), undo: () => void (judged = "all") });
  assert.equal(judged, "out");
  history.undo();
  assert.equal(judged, "all");
  history.undo();
  assert.deepEqual(boxes.all, start);
  assert.equal(judged, "none");
  history.redo();
  history.redo();
  assert.deepEqual(boxes.all, [box("a"), box("c", 5), box("d")]);
  assert.equal(judged, "out");
});
