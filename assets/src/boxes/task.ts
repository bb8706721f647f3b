// One task in label mode: its draft, its lease, and what can be done with it as a whole.
import { emit } from "../shared/events";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { type Content, contentOf, type Mark, sameContent, type State, type Submitted } from "./contract";
import { askConflict, askSkip, type SkipChoice } from "./dialogs";
import { Draft, type DraftState } from "./draft";
import { forgetLeaving, type KeptDraft, type Leaving, isOpen, leavingOf, noteLeaving, openShelf, returning, sealer, thisTab } from "./kept";
import { Activity, Lease } from "./lease";
import { newId } from "./model";
import type { Next, Ready } from "./next";
import { conflictOf, Refused, type Server } from "./server";
import type { Status } from "./status";

// The next task is claimed once the person has settled on this one.
const prefetchAfter = 1200;

// How often a page looks for a save that its forerunner sent while it was left, and how long it waits between: a busy
// server may take seconds to store it.
const looks = 40;
const lookPause = 120;

// How long a workbench at which nobody works still asks whether its item was erased. Asking keeps a session alive, so not for ever.
const watched = 24 * 60 * 60 * 1000;

/** What a task needs of the bench it lies on. */
export interface Bench<Media> {
  readonly root: HTMLElement;
  readonly server: Server;
  readonly next: Next<Media>;
  readonly status: Status;
  /** Why a task of this kind is put aside. */
  readonly skipReasons: readonly SkipChoice[];
  /** The content as it is now. */
  content(): Content;
  /** Puts this content in the place of what there is, as one step of undo. */
  take(content: Content, label: string): void;
  /** "3 boxes": the content in a few words. */
  summary(content: Content): string;
  /** Fetches what is to be seen or heard of a task. */
  load(state: State): Promise<Media>;
  /** Shows another task in place of this one. */
  show(ready: Ready<Media>): void;
  /** Takes away the media, the content and the name of what was erased. */
  clear(): void;
}

export class Task<Media> {
  private readonly draft: Draft | null;
  private readonly lease: Lease | null;
  private readonly activity = new Activity();
  private readonly opened = Date.now();
  private beaten = 0;
  private warned: "calm" | "soon" | "over" = "calm";
  private busy = false;
  private sending: { readonly key: string; readonly content: Content } | null = null;
  private asking = false;

  constructor(
    private readonly scope: Scope,
    private readonly state: State,
    private readonly bench: Bench<Media>,
  ) {
    const now = Date.now();
    this.lease = state.leaseUntil === null ? null : new Lease(state.leaseUntil, Date.parse(state.now) - now, now);
    this.beaten = now;
    this.draft = this.startDraft();
    if (this.draft) void this.catchUp(this.draft);
    this.tick();
    scope.every(1000, () => this.tick());
    if (bench.server.can("next")) scope.after(prefetchAfter, () => bench.next.prefetch(state.assignment));
    scope.on(window, "online", () => this.draft?.retry());
    scope.on(document, "visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.draft?.flush(true);
    });
    scope.on(window, "pagehide", () => this.leave());
    for (const type of ["pointermove", "keydown", "wheel"]) {
      scope.on(bench.root as EventTarget, type, () => this.activity.sign(performance.now()), { passive: true });
    }
  }

  // ---- draft

  // The draft is there at once: what is done in a page's first moments is saved too, also if it is left in them.
  private startDraft(): Draft | null {
    const { state, scope, bench } = this;
    if (!bench.server.can("draft")) return null;
    return new Draft(
      state.assignment,
      state.draftVersion,
      contentOf(state),
      state.now,
      {
        save: (version, content) => bench.server.save(state.assignment, version, content),
        after: (ms, run) => scope.after(ms, run),
        now: () => Date.now(),
        tab: thisTab(),
        isOpen,
        kept: Promise.all([sealer(state.draftKey), openShelf()]).then(([sealer, shelf]) => ({ sealer, shelf })),
      },
      (s) => this.told(s),
    );
  }

  // What an earlier page had not seen through: it kept that in the browser, and sent it too where there was time.
  private async catchUp(draft: Draft): Promise<void> {
    const { state, scope, bench } = this;
    const kept = await draft.restore();
    const left = leavingOf(state.assignment);
    const content = contentOf(state);
    let what = returning(kept, left, { version: state.draftVersion, content });
    if (what === "wait" && left) {
      const stored = await this.overtaken(left);
      if (stored && sameContent(bench.content(), content)) return location.reload();
      what = stored ? "nothing" : returning(kept, null, { version: state.draftVersion, content });
    }
    if (scope.disposed) return;
    if (what === "bring" && left && left.version > state.draftVersion) draft.holdFor(this.overtaken(left).then((stored) => (stored ? left.version : null)));
    forgetLeaving(state.assignment);
    if (kept && (what === "bring" || what === "ask")) this.bringBack(draft, kept, what);
    else if (kept && draft.state.kind === "saved") await draft.forget();
    if (!scope.disposed) bench.status.draft(draft.state);
  }

  // What is left again meanwhile says anew what is on its way.
  private leave(): void {
    const { draft } = this;
    if (draft?.leaving) noteLeaving(this.state.assignment, draft.leaving);
    void draft?.flush(true);
  }

  // A page that is loaded again at once can be here before what the last one saved: true once the server has that.
  private async overtaken(left: Leaving): Promise<boolean> {
    const { bench, scope } = this;
    bench.status.draft({ kind: "saving" });
    for (let look = 0; look < looks && !scope.disposed; look++) {
      const now = await bench.server.state().catch(() => null);
      if (now && now.draftVersion >= left.version) return true;
      await new Promise<void>((go) => scope.after(lookPause, go));
    }
    return false;
  }

  private bringBack(draft: Draft, kept: KeptDraft, what: "bring" | "ask"): void {
    this.bench.take(kept, "Brought back");
    if (what === "ask") return draft.contest({ version: this.state.draftVersion, ...contentOf(this.state) });
    emit(this.bench.root, "notice", { tone: "info", text: "Brought back what could not be saved before. Undo takes it away again." });
  }

  /** The content is different now. */
  changed(content: Content): void {
    this.draft?.change(content);
  }

  /** Waits until the server has the content as it is now; false where it could not be saved. */
  async saved(): Promise<boolean> {
    await this.draft?.flush();
    return this.draft === null || this.draft.state.kind === "saved";
  }

  private told(s: DraftState): void {
    if (this.scope.disposed) return;
    this.bench.status.draft(s);
    if (s.kind === "conflict") {
      this.bench.status.notice("warn", "This draft was also changed elsewhere. Nothing is saved until you choose.", { label: "Choose", run: () => void this.settle() });
      void this.settle();
    } else if (s.kind === "gone" && s.erased) this.erased(s.message);
    else if (s.kind === "gone" || s.kind === "refused") this.bench.status.notice("bad", s.message);
  }

  private async settle(): Promise<void> {
    const { draft } = this;
    const { bench } = this;
    if (this.asking || draft?.state.kind !== "conflict") return;
    const { theirs } = draft.state;
    this.asking = true;
    const choice = await askConflict(bench.summary(bench.content()), bench.summary(theirs));
    this.asking = false;
    if (choice === null) {
      return this.bench.status.notice("warn", "This draft was also changed elsewhere. Nothing is saved until you choose.", { label: "Choose", run: () => void this.settle() });
    }
    this.bench.status.notice("", "");
    draft.settle(choice);
    if (choice === "theirs") bench.take(theirs, "Theirs taken");
  }

  // ---- lease

  private tick(): void {
    const { lease } = this;
    if (!lease) return;
    const now = Date.now();
    const view = lease.view(now);
    this.bench.status.lease(view);
    if (now - this.beaten >= lease.beat) {
      if (this.activity.within(lease.beat, performance.now())) void this.beat();
      else if (now - this.opened < watched) void this.watch();
    }
    if (view.mood === this.warned) return;
    this.warned = view.mood;
    if (view.mood === "soon") announce("Two minutes of the lease are left");
    if (view.mood === "over") {
      const at = lease.end.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
      this.bench.status.notice("warn", `The lease ended at ${at}: others may be given this task. Your draft is kept. Submit all the same: it counts, or is kept as an extra answer.`, { label: "Hold it again", run: () => void this.beat() });
    }
  }

  // Nobody works: the lease runs out, but what is erased meanwhile must not stay on the screen.
  private async watch(): Promise<void> {
    this.beaten = Date.now();
    const { server } = this.bench;
    if (!server.can("heartbeat")) return;
    try {
      await server.watch(this.state.assignment);
    } catch (error) {
      if (error instanceof Refused && error.erased && !this.scope.disposed) this.erased(error.message);
    }
  }

  private async beat(): Promise<void> {
    this.beaten = Date.now();
    const { next, server, status } = this.bench;
    if (!server.can("heartbeat")) return;
    const held = next.assignment;
    try {
      const renewed = await server.heartbeat(held === null ? [this.state.assignment] : [this.state.assignment, held]);
      if (this.scope.disposed) return;
      const own = renewed.leases.find((l) => l.assignment === this.state.assignment);
      if (own) {
        if (this.warned === "over") status.notice("", "");
        this.lease?.renew(own.until, Date.now());
      }
      if (held !== null && renewed.gone.includes(held)) next.drop();
      if (renewed.erased?.includes(this.state.assignment)) return this.erased("This item was erased, with everything that was made of it.");
      if (renewed.gone.includes(this.state.assignment)) {
        status.notice("warn", "This task is no longer held for you. Your draft is kept; submit all the same and it is kept as an extra answer.");
      }
    } catch (error) {
      if (error instanceof Refused && error.erased) return this.erased(error.message);
      if (this.warned === "over" && error instanceof Refused) status.notice("warn", error.message, { label: "Try again", run: () => void this.beat() });
    }
  }

  // ---- the task as a whole

  submit(): Promise<void> {
    return this.finish(() => {
      const content = this.bench.content();
      // The same content sent again is the same submit; any other is another.
      if (!this.sending || !sameContent(this.sending.content, content)) this.sending = { key: newId(), content };
      const version = this.draft?.version ?? this.state.draftVersion;
      return this.bench.server.submit(this.state.assignment, version, content, this.activity.milliseconds, this.sending.key);
    }, { task: this.state.task, title: this.state.title });
  }

  async skip(): Promise<void> {
    const answer = await askSkip(this.bench.skipReasons);
    if (answer) await this.finish(() => this.bench.server.skip(this.state.assignment, answer.reason, answer.note), this.state.recallable);
  }

  // `recallable` is what can be taken back afterwards: the next task was fetched before and does not know.
  private async finish(send: () => Promise<Submitted>, recallable: State["recallable"]): Promise<void> {
    if (this.busy) return;
    if (this.draft?.state.kind === "conflict") return void this.settle();
    this.busy = true;
    this.bench.root.classList.add("sending");
    try {
      const done = await this.sent(send);
      this.draft?.close();
      await this.draft?.forget();
      if (done.message !== "") emit(this.bench.root, "notice", { tone: done.surplus ? "info" : "ok", text: done.message });
      await this.goOn(done, recallable);
    } catch (error) {
      this.failed(error);
    } finally {
      this.busy = false;
      this.bench.root.classList.remove("sending");
    }
  }

  // What is on its way to the server is waited for, so that the versions agree.
  private async sent(send: () => Promise<Submitted>): Promise<Submitted> {
    const before = this.draft?.state.kind;
    if (before === "saving" || before === "unsaved") await this.draft?.flush();
    return send();
  }

  private async goOn(done: Submitted, recallable: State["recallable"]): Promise<void> {
    const { next, server } = this.bench;
    const ready = await next.take();
    if (ready) return this.bench.show({ ...ready, state: { ...ready.state, recallable } });
    const state = server.can("next") ? await server.next(this.state.assignment).catch(() => null) : null;
    if (state) return this.bench.show({ state, media: await this.bench.load(state) });
    location.assign(done.next ?? this.state.urls.queue ?? "/queue");
  }

  // Nothing of an erased item stays: not on the screen, not in what the browser keeps, not in what was fetched ahead.
  private erased(message: string): void {
    this.draft?.close();
    void this.draft?.forget();
    this.bench.clear();
    this.bench.status.notice("bad", message, { label: "Next item", run: () => void this.goOn({ surplus: false, message: "", next: null }, null) });
  }

  private failed(error: unknown): void {
    const refused = error instanceof Refused ? error : new Refused(0, String(error));
    const theirs = conflictOf(refused);
    if (refused.erased) return this.erased(refused.message);
    if (refused.status === 410) {
      this.draft?.close();
      void this.draft?.forget();
    }
    if (theirs) this.draft?.contest(theirs);
    else if (refused.status === 0) this.bench.status.notice("warn", `Not submitted: ${refused.message} What you did is kept; submit again when the connection is back.`);
    else this.bench.status.notice("bad", `Not submitted: ${refused.message}`);
  }

  async recall(): Promise<void> {
    const { recallable } = this.state;
    if (!recallable || this.busy) return announce("There is no submit to take back");
    this.busy = true;
    try {
      await this.draft?.flush();
      const state = await this.bench.server.recall(this.state.assignment, recallable.task);
      this.bench.next.drop();
      this.bench.show({ state, media: await this.bench.load(state) });
    } catch (error) {
      this.bench.status.notice("warn", error instanceof Refused ? error.message : String(error));
    } finally {
      this.busy = false;
    }
  }

  /** Sends the labeler's word about a remark; returns what to show in its place, or nothing where it failed. */
  async dispute(mark: Mark, text: string): Promise<string> {
    try {
      const said = await this.bench.server.dispute(this.state.assignment, mark.box, text);
      return said.message ?? `Disputed: ${text}`;
    } catch (error) {
      emit(this.bench.root, "notice", { tone: "bad", text: error instanceof Refused ? error.message : String(error) });
      return "";
    }
  }
}
