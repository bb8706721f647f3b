import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { isOpen } from "./kept";

interface Waiting {
  readonly name: string;
  readonly grant: () => void;
}

/** Locks as a browser has them, each held by one tab until it lets go. */
class Locks {
  private readonly held = new Set<string>();
  waiting: readonly Waiting[] = [];

  hold(name: string): void {
    this.held.add(name);
  }

  release(name: string): void {
    this.held.delete(name);
    for (const w of this.waiting.filter((w) => w.name === name)) w.grant();
  }

  query(): Promise<{ held: { name: string }[] }> {
    return Promise.resolve({ held: [...this.held].map((name) => ({ name })) });
  }

  request<T>(name: string, options: { signal?: AbortSignal; ifAvailable?: boolean }, run: (lock: object | null) => T): Promise<T> {
    if (!this.held.has(name)) return Promise.resolve(run({ name }));
    if (options.ifAvailable) return Promise.resolve(run(null));
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        this.waiting = this.waiting.filter((w) => w !== mine);
        resolve(run({ name }));
      };
      const mine: Waiting = { name, grant };
      this.waiting = [...this.waiting, mine];
      options.signal?.addEventListener("abort", () => {
        this.waiting = this.waiting.filter((w) => w !== mine);
        reject(options.signal?.reason as Error);
      });
    });
  }
}

/** A browser with these locks, or with none, whose patience ends when the test says so. */
function browser(t: TestContext, locks: Locks | undefined): { readonly asked: readonly number[]; runOut(): void } {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { locks } });
  t.after(() => {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  });
  const patience = new AbortController();
  const asked: number[] = [];
  t.mock.method(AbortSignal, "timeout", (milliseconds: number) => {
    asked.push(milliseconds);
    return patience.signal;
  });
  return { asked, runOut: () => patience.abort(new DOMException("it took too long", "TimeoutError")) };
}

const lock = "fiducial-tab-other";

test("a tab that is being closed counts as closed as soon as its lock is free", async (t) => {
  const locks = new Locks();
  const { asked } = browser(t, locks);
  locks.hold(lock);
  let answered = false;
  const open = isOpen("other").finally(() => (answered = true));
  await new Promise(setImmediate);
  assert.equal(answered, false, "it waits for the tab that still holds its lock");
  locks.release(lock);
  assert.equal(await open, false);
  assert.deepEqual(asked, [2000]);
  assert.deepEqual(locks.waiting, []);
});

test("a tab that keeps its lock is open once patience has run out", async (t) => {
  const locks = new Locks();
  const { runOut } = browser(t, locks);
  locks.hold(lock);
  const open = isOpen("other");
  runOut();
  assert.equal(await open, true);
  assert.deepEqual(locks.waiting, []);
});

test("a tab without a lock is closed, and so is every tab where the browser cannot tell", async (t) => {
  browser(t, new Locks());
  assert.equal(await isOpen("other"), false);
  browser(t, undefined);
  assert.equal(await isOpen("other"), false);
});
