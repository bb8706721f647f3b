import assert from "node:assert/strict";
import { test } from "node:test";
import type { Saved } from "./contract";
import { Draft, type DraftState, type DraftWorld } from "./draft";
import { keptFor, returning, type Sealed, type Sealer, sealer, type Shelf } from "./kept";
import type { Box } from "./model";
import { Refused } from "./server";

const box = (id: string): Box => ({ id, class: 1, x: 0, y: 0, w: 10, h: 10, rotation: 0 });

class MemoryShelf implements Shelf {
  readonly sealed = new Map<number, Sealed>();
  put = async (s: Sealed): Promise<void> => void this.sealed.set(s.assignment, s);
  get = async (a: number): Promise<Sealed | null> => this.sealed.get(a) ?? null;
  remove = async (a: number): Promise<void> => void this.sealed.delete(a);
  removeBefore = async (t: number): Promise<void> => {
    for (const s of this.sealed.values()) if (s.at < t) this.sealed.delete(s.assignment);
  };
}

// Encryption runs on a thread of its own: a turn of the event loop says nothing about its end, so
// what is under way is counted.
let encrypting = 0;

function counting(real: Sealer | null): Sealer | null {
  if (!real) return null;
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    encrypting++;
    try {
      return await work;
    } finally {
      encrypting--;
    }
  };
  const [seal, open] = [real.seal.bind(real), real.open.bind(real)];
  real.seal = (...args) => counted(seal(...args));
  real.open = (...args) => counted(open(...args));
  return real;
}

async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet = encrypting ? 0 : quiet + 1) await new Promise((r) => setImmediate(r));
}

// A server, a clock and timers that the test moves by hand.
async function stand(key = "MDEyMzQ1Njc4OWFiY2RlZg==") {
  const shelf = new MemoryShelf();
  const timers = new Set<{ at: number; run: () => void }>();
  const told: DraftState[] = [];
  const saves: { version: number; boxes: readonly Box[] }[] = [];
  const self = {
    now: 1_000_000,
    open: [] as string[], // other tabs
    answer: async (version: number): Promise<Saved> => ({ version: version + 1, savedAt: "2026-01-01T10:00:00Z" }),
    shelf,
    told,
    saves,
    last: () => told.at(-1)?.kind,
    async pass(milliseconds: number) {
      self.now += milliseconds;
      for (const t of [...timers].filter((timer) => timer.at <= self.now)) {
        timers.delete(t);
        t.run();
      }
      await settled();
    },
    make(assignment = 34, version = 4, tab = "this") {
      return new Draft(assignment, version, { boxes: [] }, "", { ...world, tab }, (s) => told.push(s));
    },
  };
  const world: DraftWorld = {
    save: (version, { boxes }) => {
      saves.push({ version, boxes });
      return self.answer(version);
    },
    after: (ms, run) => {
      const timer = { at: self.now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    now: () => self.now,
    tab: "this",
    isOpen: async (tab) => self.open.includes(tab),
    kept: Promise.resolve({ sealer: counting(await sealer(key)), shelf }),
  };
  return self;
}

test("changes are saved once after a pause, with the version counted on", async () => {
  const s = await stand();
  const d = s.make();
  d.change({ boxes: [box("a")] });
  d.change({ boxes: [box("a"), box("b")] });
  await s.pass(699);
  assert.equal(s.saves.length, 0);
  await s.pass(1);
  assert.deepEqual(s.saves.map((x) => [x.version, x.boxes.length]), [[4, 2]]);
  assert.equal(s.last(), "saved");
  assert.equal(d.version, 5);
});

test("a page that is left before the browser's database is open has saved all the same", async () => {
  const saved: number[] = [];
  const world: DraftWorld = {
    save: async (version, { boxes }) => {
      saved.push(boxes.length);
      return { version: version + 1, savedAt: "" };
    },
    after: () => () => {},
    now: () => 0,
    tab: "this",
    isOpen: async () => false,
    kept: new Promise(() => {}),
  };
  const d = new Draft(34, 4, { boxes: [] }, "", world, () => {});
  d.change({ boxes: [box("a")] });
  void d.flush(true);
  assert.deepEqual(saved, [1]);
});

test("whoever never pauses is saved every five seconds", async () => {
  const s = await stand();
  const d = s.make();
  for (let i = 0; i < 12; i++) {
    d.change({ boxes: [box(`n${i}`)] });
    await s.pass(500);
  }
  assert.equal(s.saves.length, 1);
});

test("a change during a save is saved after it, and not called saved before", async () => {
  const s = await stand();
  let finish = (_: Saved): void => {};
  s.answer = () => new Promise((r) => (finish = r));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  d.change({ boxes: [box("a"), box("b")] });
  finish({ version: 5, savedAt: "" });
  await s.pass(0);
  assert.notEqual(s.last(), "saved");
  await s.pass(700);
  assert.deepEqual(s.saves.map((x) => [x.version, x.boxes.length]), [[4, 1], [5, 2]]);
});

test("a page that is left amid a save sends the rest as the version after", async () => {
  const s = await stand();
  let store = (_: Saved): void => {};
  s.answer = () => new Promise((resolve) => (store = resolve));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  d.change({ boxes: [box("a"), box("b")] });
  assert.equal(d.coming, 6);
  void d.flush(true);
  assert.deepEqual(s.saves.map((save) => [save.version, save.boxes.length]), [[4, 1], [5, 2]]);
  store({ version: 6, savedAt: "" });
  await s.pass(0);
  assert.equal(d.coming, 6);
});

test("a conflict is told and nothing is sent until it is settled", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(409, "changed", { version: 9, boxes: [box("z")] }));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  assert.equal(s.last(), "conflict");
  d.change({ boxes: [box("a"), box("b")] });
  await s.pass(60_000);
  assert.equal(s.saves.length, 1);
  s.answer = async (version) => ({ version: version + 1, savedAt: "" });
  d.settle("mine");
  await s.pass(0);
  assert.deepEqual(s.saves.at(-1), { version: 9, boxes: [box("a"), box("b")] });
  assert.equal(s.last(), "saved");
});

test("theirs taken is saved already", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(409, "changed", { version: 9, boxes: [box("z")] }));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  d.settle("theirs");
  await s.pass(10_000);
  assert.equal(d.version, 9);
  assert.equal(s.saves.length, 1);
});

test("a conflict with one's own lost save is none", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(409, "changed", { version: 5, boxes: [box("a")] }));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  assert.equal(s.last(), "saved");
  assert.equal(d.version, 5);
});

test("without a connection the draft lies sealed in the browser, and comes back", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(0, "no connection"));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  assert.deepEqual(s.told.at(-1), { kind: "offline", kept: true });
  const raw = s.shelf.sealed.get(34);
  assert.ok(raw && !Buffer.from(raw.data).toString("latin1").includes("boxes"));
  assert.deepEqual((await s.make().restore())?.boxes, [box("a")]);
  s.answer = async (version) => ({ version: version + 1, savedAt: "" });
  await s.pass(2000);
  assert.equal(s.last(), "saved");
  assert.equal(s.shelf.sealed.size, 0);
});

test("kept drafts are opened by their own session and assignment only, for eight hours", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(503, "busy"));
  s.make().change({ boxes: [box("a")] });
  await s.pass(700);
  const lying = s.shelf.sealed.get(34);
  assert.ok(lying);
  const other = await stand("ZmVkY2JhOTg3NjU0MzIxMA==");
  await other.shelf.put(lying);
  assert.equal(await other.make().restore(), null);
  assert.equal(other.shelf.sealed.size, 0);
  await s.shelf.put({ ...lying, assignment: 35 });
  assert.equal(await s.make(35).restore(), null);
  s.now += keptFor + 1;
  assert.equal(await s.make().restore(), null);
  assert.equal(s.shelf.sealed.size, 0);
});

test("what was erased is kept nowhere and saved no more", async () => {
  const s = await stand();
  s.answer = async () => Promise.reject(new Refused(0, "no connection"));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  assert.equal(s.shelf.sealed.size, 1);
  s.answer = async () => Promise.reject(new Refused(410, "erased"));
  await s.pass(2000);
  assert.deepEqual(s.told.at(-1), { kind: "gone", message: "erased" });
  assert.equal(s.shelf.sealed.size, 0);
  d.change({ boxes: [box("b")] });
  await s.pass(60_000);
  assert.equal(s.saves.length, 2);
});

test("what is not on the server yet lies sealed in the browser, whatever becomes of the page and its requests", async () => {
  const s = await stand();
  s.answer = () => new Promise(() => {}); // the page ends before any answer
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await settled();
  assert.deepEqual((await s.make().restore())?.boxes, [box("a")]);
  await s.pass(700);
  d.change({ boxes: [box("a"), box("b")] });
  await settled();
  const kept = await s.make().restore();
  assert.deepEqual([kept?.version, kept?.boxes, kept?.sent?.boxes], [4, [box("a"), box("b")], [box("a")]]);
});

test("a page that is hidden amid a save, and then left, says that both are on their way", async () => {
  const s = await stand();
  s.answer = () => new Promise(() => {});
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  d.change({ boxes: [box("a"), box("b")] });
  void d.flush(true);
  assert.equal(d.leaving?.version, 6);
  void d.flush(true);
  assert.equal(s.saves.length, 2);
});

test("two saves of one page that overtake each other are no conflict", async () => {
  const s = await stand();
  const answers: { store: (_: Saved) => void; refuse: (_: Refused) => void }[] = [];
  s.answer = () => new Promise((store, refuse) => answers.push({ store, refuse }));
  const d = s.make();
  d.change({ boxes: [box("a")] });
  await s.pass(700);
  d.change({ boxes: [box("a"), box("b")] });
  void d.flush(true);
  answers[1]?.refuse(new Refused(409, "changed", { version: 4, boxes: [] }));
  await settled();
  answers[0]?.store({ version: 5, savedAt: "" });
  await settled();
  assert.ok(!s.told.some((state) => state.kind === "conflict"));
  await s.pass(700);
  assert.deepEqual(s.saves.at(-1), { version: 5, boxes: [box("a"), box("b")] });
  answers[2]?.store({ version: 6, savedAt: "" });
  await settled();
  assert.equal(s.last(), "saved");
  assert.equal(s.shelf.sealed.size, 0);
});

test("what the page before had sent, and what it kept, is no conflict for the one after it", async () => {
  const s = await stand();
  s.answer = () => new Promise(() => {});
  s.make().change({ boxes: [box("a")] });
  await settled();
  const d = s.make();
  await d.restore();
  s.answer = async (version) => (version === 4 ? Promise.reject(new Refused(409, "changed", { version: 5, boxes: [box("a")] })) : { version: 6, savedAt: "" });
  d.change({ boxes: [box("a"), box("c")] });
  await s.pass(700);
  await s.pass(700);
  assert.deepEqual(s.saves.at(-1), { version: 5, boxes: [box("a"), box("c")] });
  assert.equal(s.last(), "saved");
});

test("a page that comes back knows what to do with what it finds", () => {
  const [none, one, two] = [{ boxes: [] }, { boxes: [box("a")] }, { boxes: [box("a"), box("b")] }];
  const left = { version: 6, change: 8 };
  for (const [what, kept, leaving, version, content] of [
    ["nothing", null, null, 4, none],
    ["bring", { ...two, version: 4, change: 8 }, null, 4, none],
    ["bring", { ...two, version: 4, change: 8 }, left, 4, none], // as new as what was sent: no need to wait
    ["bring", { ...two, version: 4, change: 8, sent: one }, left, 5, one], // the first of two saves came through
    ["nothing", { ...two, version: 4, change: 8 }, left, 6, two],
    ["wait", { ...one, version: 4, change: 7 }, left, 4, none], // what was sent last is newer
    ["wait", null, left, 5, one],
    ["nothing", { ...one, version: 4, change: 7 }, left, 6, two],
    ["ask", { ...two, version: 4, change: 8 }, null, 5, one], // somebody else's
    ["nothing", null, left, 6, two],
  ] as const) assert.equal(returning(kept, leaving, { version, content }), what, JSON.stringify([kept, leaving, version]));
});

test("what another tab is at is left to it, as long as that is open", async () => {
  const s = await stand();
  s.answer = () => new Promise(() => {});
  s.make(34, 4, "other").change({ boxes: [box("a")] });
  await settled();
  s.open.push("other");
  assert.equal(await s.make().restore(), null);
  assert.deepEqual((await s.make(34, 4, "other").restore())?.boxes, [box("a")]);
  s.open.length = 0;
  assert.deepEqual((await s.make().restore())?.boxes, [box("a")]);
});

test("what is brought back is saved once what the page before had sent has arrived", async () => {
  const s = await stand();
  const d = s.make();
  let arrive = (_: number | null): void => {};
  d.holdFor(new Promise((resolve) => (arrive = resolve)));
  d.change({ boxes: [box("a")] });
  await s.pass(2000);
  assert.equal(s.saves.length, 0);
  arrive(6);
  await settled();
  assert.deepEqual(s.saves.map((x) => x.version), [6]);
  assert.equal(s.last(), "saved");
});
