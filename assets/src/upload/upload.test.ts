import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, commonFolder, duration, isLeftover } from "./names";
import { backoff, Uploader, type Arrived, type Outgoing, type Progress, type Receiver } from "./uploader";

test("a folder that was chosen is not part of the names", () => {
  assert.equal(commonFolder(["steel/a.jpg", "steel/x/b.jpg"]), "steel/");
  assert.equal(commonFolder(["a.jpg", "steel/b.jpg"]), "");
  assert.equal(commonFolder(["one/a.jpg", "two/b.jpg"]), "");
  assert.equal(commonFolder([]), "");
});

test("what systems leave behind is not sent", () => {
  for (const path of [".DS_Store", "a/Thumbs.db", "__MACOSX/a.jpg", "a/.git"]) assert.ok(isLeftover(path), path);
  assert.ok(!isLeftover("a/b.jpg"));
});

test("figures are for people", () => {
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(23_456_789), "23.5 MB");
  assert.equal(duration(200), "3 min");
});

class Lost extends Error {
  readonly passing = true;
}

/** A server in memory that loses the connection now and then. */
class Server implements Receiver {
  readonly received = new Map<string, Blob[]>();
  readonly names: string[] = [];
  puts = 0;

  constructor(
    private readonly lost: (put: number) => boolean,
    private readonly had: Readonly<Record<string, number>> = {},
  ) {}

  async announce(files: readonly { name: string; size: number }[]): Promise<{ files: Arrived[]; partSize: number }> {
    const answer = files.map(({ name, size }): Arrived => {
      this.names.push(name);
      const received = this.had[name] ?? 0;
      this.received.set(name, received > 0 ? [new Blob(["x".repeat(received)])] : []);
      return { id: this.names.length, received, complete: received === size };
    });
    return { files: answer, partSize: 4 };
  }

  async put(file: number, offset: number, part: Blob): Promise<Arrived> {
    if (this.lost(++this.puts)) throw new Lost("lost");
    const parts = this.received.get(this.names[file - 1] ?? "") ?? [];
    assert.equal(size(parts), offset);
    parts.push(part);
    return { id: file, received: size(parts), complete: size(parts) === 10 };
  }
}

function size(parts: readonly Blob[]): number {
  return parts.reduce((sum, part) => sum + part.size, 0);
}

function file(name: string): Outgoing {
  const content = new Blob(["0123456789"]);
  return { name, size: 10, slice: (from, to) => content.slice(from, to) };
}

test("every part arrives, in order, also over a connection that is lost", async () => {
  const server = new Server((put) => put % 3 === 0, { "b": 10, "c": 4 });
  const pauses: number[] = [];
  let last: Progress | undefined;
  const tuning = { atOnce: 2, announced: 2, pause: async (milliseconds: number) => void pauses.push(milliseconds) };
  await new Uploader(["a", "b", "c", "d", "e"].map(file), server, tuning, (progress) => (last = { ...progress })).run();
  for (const name of ["a", "b", "c", "d", "e"]) assert.equal(size(server.received.get(name) ?? []), 10, name);
  assert.ok(pauses.length > 0);
  assert.deepEqual([last?.complete, last?.received, last?.bytes, last?.kept, last?.moving.length], [5, 50, 50, 14, 0]);
});

test("what the server refuses ends the upload", async () => {
  const server = new Server(() => false);
  server.put = async () => {
    throw new Error("This import takes no more files.");
  };
  const tuning = { atOnce: 2, announced: 10, pause: async () => undefined };
  await assert.rejects(new Uploader([file("a")], server, tuning, () => undefined).run(), /no more files/);
});

test("pauses grow, and have an end", () => {
  assert.deepEqual([backoff(1), backoff(2), backoff(20)], [500, 1000, 30_000]);
});
