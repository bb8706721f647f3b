/** How much of a file the server has. */
export interface Arrived {
  id: number;
  received: number;
  complete: boolean;
}

/** A file to send. content is a File, whose slices are read when they are sent. */
export interface Outgoing {
  name: string;
  size: number;
  slice(from: number, to: number): Blob;
}

/** What of the server an upload needs. A lost connection is an error with passing set. */
export interface Receiver {
  announce(files: readonly { name: string; size: number }[]): Promise<{ files: Arrived[]; partSize: number }>;
  put(file: number, offset: number, part: Blob): Promise<Arrived>;
}

/** A file on its way. */
export interface Moving {
  name: string;
  size: number;
  received: number;
}

export interface Progress {
  files: number;
  complete: number;
  bytes: number;
  received: number;
  /** What the server had already when this upload began. */
  kept: number;
  moving: readonly Moving[];
  /** Milliseconds until the next try, while the connection is lost; otherwise 0. */
  waiting: number;
}

export interface Tuning {
  atOnce: number;
  announced: number;
  /** Waits, and rejects when the upload is to stop. */
  pause(milliseconds: number): Promise<void>;
}

const longestPause = 30_000;

/** How long to wait before a part is tried again after so many failures in a row. */
export function backoff(failures: number): number {
  return Math.min(longestPause, 500 * 2 ** (failures - 1));
}

interface Job {
  file: Outgoing;
  at: Arrived;
}

/** Sends files in parts, several files at a time, and goes on after a lost connection for as long as it takes. */
export class Uploader {
  readonly #progress: Progress & { moving: Moving[] };
  #partSize = 0;

  constructor(
    private readonly files: readonly Outgoing[],
    private readonly receiver: Receiver,
    private readonly tuning: Tuning,
    private readonly show: (progress: Progress) => void,
  ) {
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    this.#progress = { files: files.length, complete: 0, bytes, received: 0, kept: 0, moving: [], waiting: 0 };
  }

  /** Ends when every file has arrived; rejects with what the server has against one. */
  async run(): Promise<void> {
    const jobs: Job[] = [];
    for (let i = 0; i < this.files.length; i += this.tuning.announced) {
      jobs.push(...(await this.announce(this.files.slice(i, i + this.tuning.announced))));
    }
    const queue = jobs.filter((job) => !job.at.complete);
    const lanes = Array.from({ length: this.tuning.atOnce }, async () => {
      for (let job = queue.shift(); job; job = queue.shift()) await this.send(job);
    });
    await Promise.all(lanes);
  }

  private async announce(files: readonly Outgoing[]): Promise<Job[]> {
    const answer = await this.untilReached(() => this.receiver.announce(files.map(({ name, size }) => ({ name, size }))));
    this.#partSize = answer.partSize;
    const jobs = files.map((file, i): Job => {
      const at = answer.files[i];
      if (!at) throw new Error("The server's answer does not fit the files. Reload the page and try again.");
      this.#progress.received += at.received;
      this.#progress.kept += at.received;
      if (at.complete) this.#progress.complete++;
      return { file, at };
    });
    this.show(this.#progress);
    return jobs;
  }

  private async send({ file, at }: Job): Promise<void> {
    const moving: Moving = { name: file.name, size: file.size, received: at.received };
    this.#progress.moving.push(moving);
    while (!at.complete) {
      const from = at.received;
      const next = await this.untilReached(() => this.receiver.put(at.id, from, file.slice(from, Math.min(from + this.#partSize, file.size))));
      this.#progress.received += next.received - from;
      at = next;
      moving.received = at.received;
      this.show(this.#progress);
    }
    this.#progress.moving.splice(this.#progress.moving.indexOf(moving), 1);
    this.#progress.complete++;
    this.show(this.#progress);
  }

  /** Tries again for as long as the connection is lost. */
  private async untilReached<T>(ask: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        const answer = await ask();
        this.#progress.waiting = 0;
        return answer;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#progress.waiting = backoff(failures);
        this.show(this.#progress);
        await this.tuning.pause(this.#progress.waiting);
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && "passing" in error && error.passing === true;
}
