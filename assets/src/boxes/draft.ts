import { type Conflict, type Content, sameContent, type Saved } from "./contract";
import { type KeptDraft, keptFor, type Leaving, type Sealer, type Shelf } from "./kept";
import { conflictOf, Refused } from "./server";

/** Where the draft is, as it is told to the person. */
export type DraftState =
  | { readonly kind: "saved"; readonly at: string }
  | { readonly kind: "unsaved" }
  | { readonly kind: "saving" }
  /** No connection: kept in the browser, or nowhere but in this page. */
  | { readonly kind: "offline"; readonly kept: boolean }
  | { readonly kind: "conflict"; readonly theirs: Conflict }
  | { readonly kind: "refused"; readonly message: string }
  /** The item was erased or the task withdrawn; nothing is kept of it. */
  | { readonly kind: "gone"; readonly message: string; readonly erased?: true };

/** What the draft needs of the world, so that tests can stand in for it. */
export interface DraftWorld {
  save(version: number, content: Content): Promise<Saved>;
  after(milliseconds: number, run: () => void): () => void;
  now(): number;
  /** What tells this tab from others, and whether another is open. */
  readonly tab: string;
  isOpen(tab: string): Promise<boolean>;
  /** Where drafts are kept in the browser; saving to the server does not wait until that is open. */
  readonly kept: Promise<Keeping>;
}

/** What keeps drafts in the browser, as far as it allows. */
export interface Keeping {
  readonly sealer: Sealer | null;
  readonly shelf: Shelf | null;
}

const pause = 700;
const longest = 5000;
const retries = [2000, 4000, 8000, 15000, 30000];

/**
 * Keeps the content of one assignment on the server: soon after each change, one request at a time,
 * never over another's version. Until the server has it, it lies sealed in the browser: a page may end at any moment.
 */
export class Draft {
  private dirtySince: number | null = null;
  private latest: Content;
  // What was sent and has no answer yet, the oldest first: one, or two where the page was about to be left.
  private readonly sent: { readonly content: Content; readonly makes: number }[] = [];
  private saving: Promise<void> | null = null;
  private held: Promise<void> | null = null;
  // What this page, or the one before it, has had the server keep: a conflict with that is none.
  private readonly own: Content[];
  // Reading and writing the shelf, one after the other, so that what is forgotten does not come back.
  private shelved: Promise<void> = Promise.resolve();
  private readonly former: Promise<KeptDraft | null>;
  private keeping = false;
  private cancel = (): void => {};
  private failures = 0;
  // The newest change, counted on through all pages of this draft.
  private changes = 0;
  private closed = false;
  state: DraftState;

  constructor(
    private readonly assignment: number,
    public version: number,
    content: Content,
    savedAt: string,
    private readonly world: DraftWorld,
    private readonly told: (state: DraftState) => void,
  ) {
    this.latest = content;
    this.own = [content];
    this.state = { kind: "saved", at: savedAt };
    // Read before anything is written in its place.
    this.former = this.inTurn(() => this.read()).catch(() => null);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.shelved.then(work);
    this.shelved = done.then(() => undefined, () => undefined);
    return done;
  }

  /** The content changed; it is saved after a short pause, or after five seconds of going on. */
  change(content: Content): void {
    if (this.closed) return;
    const now = this.world.now();
    this.latest = content;
    this.changes = Math.max(this.changes + 1, now);
    this.dirtySince ??= now;
    void this.keep();
    if (this.state.kind === "conflict") return;
    if (this.state.kind !== "offline") this.tell({ kind: "unsaved" });
    if (this.failures > 0) return;
    this.later(Math.min(pause, Math.max(0, this.dirtySince + longest - now)));
  }

  private later(milliseconds: number): void {
    this.cancel();
    this.cancel = this.world.after(milliseconds, () => void this.flush());
  }

  /** The version that the server will have once it has everything. */
  get coming(): number {
    return this.stored + (this.dirtySince === null ? 0 : 1);
  }

  /** The version that the server will have once it has what was sent. */
  private get stored(): number {
    return Math.max(this.version, ...this.sent.map((s) => s.makes));
  }

  /** What whoever comes back should know of it, null once the server has everything. */
  get leaving(): Leaving | null {
    return this.coming > this.version ? { version: this.coming, change: this.changes } : null;
  }

  /** Saves now what is not saved yet; `leaving`, without waiting for what is on its way. */
  async flush(leaving = false): Promise<void> {
    this.cancel();
    if (this.held && !leaving) await this.held;
    if (this.saving && !leaving) await this.saving;
    if (this.closed || this.dirtySince === null || this.state.kind === "conflict") return;
    const sending = this.send();
    const saving = Promise.all([this.saving, sending]).then(() => undefined);
    this.saving = saving;
    await saving;
    if (this.saving === saving) this.saving = null;
  }

  private async send(): Promise<void> {
    const content = this.latest;
    const since = this.dirtySince;
    // A save on its way will have been stored when this one arrives; there is no time to wait for it.
    const version = this.stored;
    const sent = { content, makes: version + 1 };
    this.dirtySince = null;
    this.sent.push(sent);
    if (this.state.kind !== "offline") this.tell({ kind: "saving" });
    const answer = await this.world.save(version, content).then((saved) => ({ saved }), (error: unknown) => ({ error }));
    this.sent.splice(this.sent.indexOf(sent), 1);
    if ("saved" in answer) return this.accepted(answer.saved, content);
    this.dirtySince ??= since;
    await this.failed(answer.error, content);
  }

  private async accepted(saved: Saved, content: Content): Promise<void> {
    this.version = Math.max(this.version, saved.version);
    this.own.push(content);
    this.failures = 0;
    if (this.closed) return;
    if (this.latest === content) {
      this.tell({ kind: "saved", at: saved.savedAt });
      await this.forget();
    } else this.later(pause);
  }

  private async failed(error: unknown, content: Content): Promise<void> {
    const refused = error instanceof Refused ? error : new Refused(0, String(error));
    const theirs = conflictOf(refused);
    if (this.closed) return;
    if (theirs && sameContent(theirs, content)) {
      // Our own save whose answer was lost on the way.
      await this.accepted({ version: theirs.version, savedAt: new Date(this.world.now()).toISOString() }, content);
      if (this.latest === content) this.dirtySince = null;
    } else if (theirs && this.mine(theirs)) {
      // Two saves overtook each other, or the page before this one had sent that.
      this.version = Math.max(this.version, theirs.version);
      this.later(pause);
    } else if (theirs) this.tell({ kind: "conflict", theirs });
    else if (refused.passing) await this.offline();
    else if (refused.status === 410) {
      this.close();
      await this.forget();
      this.tell({ kind: "gone", message: refused.message, ...(refused.erased ? { erased: true } : {}) });
    } else this.tell({ kind: "refused", message: refused.message });
  }

  private mine(theirs: Content): boolean {
    return [...this.own, ...this.sent.map((s) => s.content)].some((content) => sameContent(content, theirs));
  }

  private async offline(): Promise<void> {
    const wait = retries[Math.min(this.failures, retries.length - 1)] ?? 30000;
    this.failures++;
    this.later(wait);
    await this.keep();
  }

  // The newest of several changes is enough.
  private async keep(): Promise<void> {
    if (this.keeping) return;
    this.keeping = true;
    const kept = await this.inTurn(() => this.seal()).catch(() => false);
    if (!this.closed && this.failures > 0) this.tell({ kind: "offline", kept });
  }

  private async seal(): Promise<boolean> {
    const { sealer, shelf } = await this.world.kept;
    this.keeping = false;
    if (!sealer || !shelf || this.closed || this.coming === this.version) return false;
    const before = this.sent.find((s) => s.content !== this.latest)?.content;
    const draft = { ...this.latest, version: this.version, change: this.changes, tab: this.world.tab, ...(before ? { sent: before } : {}) };
    await shelf.put(await sealer.seal(this.assignment, draft, this.world.now()));
    return true;
  }

  /** The connection is back. */
  retry(): void {
    if (this.failures > 0) void this.flush();
  }

  /** Settles a conflict: with "mine" this content goes over theirs, with "theirs" the caller shows theirs. */
  settle(choice: "mine" | "theirs"): void {
    if (this.state.kind !== "conflict") return;
    const { theirs } = this.state;
    this.version = theirs.version;
    if (choice === "theirs") {
      this.latest = theirs;
      this.dirtySince = null;
      this.tell({ kind: "saved", at: new Date(this.world.now()).toISOString() });
      void this.forget();
      return;
    }
    this.dirtySince ??= this.world.now();
    this.tell({ kind: "unsaved" });
    void this.flush();
  }

  /** What a page before this one could not save, or null. Drafts that are too old are removed. */
  restore(): Promise<KeptDraft | null> {
    return this.former;
  }

  private async read(): Promise<KeptDraft | null> {
    const { sealer, shelf } = await this.world.kept;
    if (!shelf) return null;
    await shelf.removeBefore(this.world.now() - keptFor);
    const sealed = await shelf.get(this.assignment);
    if (!sealed) return null;
    const draft = (await sealer?.open(sealed, this.world.now())) ?? null;
    if (!draft) await shelf.remove(this.assignment);
    // Another tab that is open has it before it still, and settles it there.
    else if (draft.tab !== undefined && draft.tab !== this.world.tab && (await this.world.isOpen(draft.tab))) return null;
    else this.own.push(draft);
    return draft;
  }

  /** Saves nothing, unless the page is left, until what the page before had sent has arrived as that version, or has not. */
  holdFor(arrival: Promise<number | null>): void {
    this.held = arrival.then((version) => {
      this.version = Math.max(this.version, version ?? 0);
      this.held = null;
    });
  }

  /** Raises a conflict between the content here and another. */
  contest(theirs: Conflict): void {
    this.dirtySince ??= this.world.now();
    this.tell({ kind: "conflict", theirs });
  }

  /** The server has it all, or wants none of it: nothing stays in the browser. */
  forget(): Promise<void> {
    return this.inTurn(async () => {
      const { shelf } = await this.world.kept;
      await shelf?.remove(this.assignment);
    }).catch(() => undefined);
  }

  /** No more saving: the task was submitted, skipped or withdrawn. */
  close(): void {
    this.closed = true;
    this.cancel();
  }

  private tell(state: DraftState): void {
    this.state = state;
    this.told(state);
  }
}
