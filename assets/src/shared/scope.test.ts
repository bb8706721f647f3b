import assert from "node:assert/strict";
import { test } from "node:test";

import { Scope } from "./scope";

test("a disposed scope hears nothing more", () => {
  const scope = new Scope();
  const target = new EventTarget();
  let heard = 0;
  scope.on(target, "ping", () => heard++);
  target.dispatchEvent(new Event("ping"));
  scope.dispose();
  target.dispatchEvent(new Event("ping"));
  assert.equal(heard, 1);
});

test("cleanups run once, newest first", () => {
  const scope = new Scope();
  const order: string[] = [];
  scope.add(() => order.push("first"));
  const early = scope.add(() => order.push("early"));
  scope.add(() => order.push("last"));
  early();
  early();
  scope.dispose();
  scope.dispose();
  assert.deepEqual(order, ["early", "last", "first"]);
});

test("what is added to a disposed scope is undone at once", () => {
  const scope = new Scope();
  scope.dispose();
  let undone = false;
  scope.add(() => (undone = true));
  assert.ok(undone);
});

test("a child ends with its parent, and not the other way round", () => {
  const parent = new Scope();
  const first = parent.child();
  const second = parent.child();
  first.dispose();
  assert.ok(!parent.disposed && !second.disposed);
  parent.dispose();
  assert.ok(second.disposed);
});

test("a timer that was cancelled or disposed never runs", async () => {
  const scope = new Scope();
  const ran: string[] = [];
  scope.after(0, () => ran.push("kept"));
  scope.after(0, () => ran.push("cancelled"))();
  const other = new Scope();
  other.after(0, () => ran.push("disposed"));
  other.dispose();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(ran, ["kept"]);
});
