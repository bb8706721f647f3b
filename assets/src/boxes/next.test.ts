import assert from "node:assert/strict";
import { test } from "node:test";
import type { State } from "./contract";
import { Next } from "./next";

/** Hands out one task after another, and the one that is held again to whoever asks meanwhile. */
function queue(): { readonly next: Next; readonly asked: number[] } {
  const asked: number[] = [];
  const claim = (after: number): Promise<State | null> => {
    asked.push(after);
    return Promise.resolve({ assignment: after + 1 } as State);
  };
  return { next: new Next(claim, () => Promise.resolve({} as HTMLImageElement)), asked };
}

test("the task that was fetched before is taken, once", async () => {
  const { next, asked } = queue();
  next.prefetch(1);
  next.prefetch(1);
  assert.equal((await next.take())?.state.assignment, 2);
  assert.equal(await next.take(), null);
  assert.deepEqual(asked, [1]);
});

test("a task that is asked for while the present one is left is not kept for later", async () => {
  const { next, asked } = queue();
  assert.equal(await next.take(), null, "nothing was fetched yet, so the page claims the next task itself");
  next.prefetch(1);
  next.arrived();
  assert.equal(await next.take(), null);
  next.arrived();
  next.prefetch(2);
  assert.equal((await next.take())?.state.assignment, 3);
  assert.deepEqual(asked, [2]);
});
