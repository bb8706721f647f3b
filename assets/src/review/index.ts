// The reviewer's desk: decisions by key, the next item already there.
import type { BoxWorkbench } from "../boxes/index";
import type { OverlayInfo, State } from "../boxes/contract";
import { type Box, newId, same } from "../boxes/model";
import { element, icon } from "../shared/dom";
import { emit, listen } from "../shared/events";
import { island, sweepIslands } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { forget, keep, type Kept, keptFor } from "./kept";
import { fetchPage, show, type Waiting } from "./next";
import { Reasons } from "./reasons";
import { matchingOf, Several, stateOf } from "./several";

// The next item is fetched once the reviewer has settled on this one.
const prefetchAfter = 600;
const refusalStays = 8000;

interface Decided {
  readonly word: string;
  readonly name: string;
  readonly labelers: string;
  readonly undo: string;
  readonly next: string;
}

/** What was decided last, on whichever item: it can be taken back from the next one. */
let last: Decided | null = null;

class Desk {
  private readonly state: State;
  private readonly several: Several | null;
  private readonly reasons: Reasons;
  private readonly opened = performance.now();
  private base: number;
  /** The boxes that the decision goes out from: the answer's, or the truth's. */
  private taken: readonly Box[];
  private busy = false;
  private coming: Promise<Waiting | null> | null = null;

  constructor(
    private readonly root: BoxWorkbench,
    private readonly scope: Scope,
  ) {
    this.state = stateOf(root);
    this.base = Number(root.dataset["base"]);
    this.taken = this.state.boxes;
    const matching = matchingOf(root);
    this.several = matching && root.dataset["several"] !== undefined ? new Several(root, scope, this.state, matching, () => this.changed()) : null;
    const desk = this;
    this.reasons = new Reasons(
      {
        root,
        scope,
        several: this.several,
        get answer() {
          return desk.taken;
        },
        className: (id) => this.state.classes.find((c) => c.id === id)?.name ?? "",
      },
      () => void this.reject(),
    );
    root.dataset["ready"] = "";
    this.bindKeys();
    this.listen();
    this.showLast();
    this.changed();
    this.offerKept();
    scope.after(prefetchAfter, () => void this.next());
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }

  private bindKeys(): void {
    const { root } = this;
    root.bind("approve", () => void this.approve());
    if (this.part('input[name="fault"]')) root.bind("reject", () => this.reasons.open());
    root.bind("discard", () => this.openDiscard());
    root.bind("undo-decision", () => void this.takeBack());
    if (!this.several && this.state.overlays.length > 0) root.bind("take", (_, digit) => this.takeNth(Number(digit)));
  }

  private listen(): void {
    const { scope, root } = this;
    listen(scope, root, "boxes:choose", () => this.reasons.aim());
    listen(scope, root, "boxes:change", () => {
      this.several?.begun();
      this.changed();
    });
    scope.on(root, "click", (e) => this.click(e));
    scope.on(root, "submit", (e) => this.submitted(e));
    scope.on(root, "change", (e) => this.picked(e.target));
    scope.on(window, "popstate", () => location.reload());
  }

  // ---- what is decided about

  /** Whether the boxes go out from the present truth. */
  private get truth(): boolean {
    return this.base === 0 && this.root.dataset["truth"] !== undefined;
  }

  private get amended(): boolean {
    const boxes = this.root.boxes;
    return boxes.length !== this.taken.length || boxes.some((b, i) => !same(b, this.taken[i]));
  }

  /** Whether there is nothing yet that could be taken: the boxes here are the answer, and none means no defect. */
  private get empty(): boolean {
    return this.base === 0 && !this.truth && this.state.overlays.length === 0;
  }

  private acceptWord(): string {
    if (this.empty) return this.root.boxes.length === 0 ? "No defects" : "Take these boxes";
    if (this.truth && !this.amended) return "Confirm";
    if (!this.several) return this.amended ? "Amend" : "Approve";
    const open = this.several.open.length;
    if (open > 0) return `${open} to judge`;
    const whole = this.several.taken();
    return this.several.current || whole === null ? "Take these boxes" : whole === "merged" ? "Approve merged" : whole === "truth" ? "Confirm" : `Approve ${whole}`;
  }

  private changed(): void {
    this.several?.refresh();
    const word = this.part("[data-review-word]");
    if (word) word.textContent = `${this.acceptWord()}, next`;
    this.reasons.aim();
  }

  private takeNth(n: number): void {
    const overlay = this.state.overlays[n - 1];
    if (overlay && overlay.id !== "truth") this.take(overlay);
    else announce(`There is no answer ${n}`);
  }

  // One answer, with the truth beside it.
  private take(overlay: OverlayInfo): void {
    const answer = this.part<HTMLInputElement>(`input[data-overlay="${overlay.id}"]`);
    if (answer) answer.checked = true;
    this.base = Number(answer?.value ?? 0);
    this.taken = overlay.boxes.map((b, i) => ({ ...b, id: String(i) }));
    this.reasons.restore([]);
    this.root.replace(this.taken, `Answer ${overlay.id} taken`);
    this.changed();
  }

  private picked(target: EventTarget | null): void {
    const choice = target instanceof HTMLInputElement ? target.dataset["overlay"] : undefined;
    if (choice === undefined) return;
    if (this.several) return this.several.take(choice);
    const overlay = this.state.overlays.find((o) => o.id === choice);
    if (overlay) this.take(overlay);
  }

  // ---- decisions

  private click(e: MouseEvent): void {
    const act = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-review-act]")?.dataset["reviewAct"] : undefined;
    if (act === undefined) return;
    e.preventDefault();
    if (act === "approve") void this.approve();
    if (act === "reject") void this.reject();
    if (act === "discard") this.openDiscard();
    if (act === "throw") void this.discard();
    if (act === "leave-out") this.several?.leaveOut();
  }

  private submitted(e: Event): void {
    if (e.target instanceof HTMLFormElement && e.target.id === "review-form") e.preventDefault();
  }

  private approve(): Promise<void> {
    if (this.truth && !this.amended) return this.decide("approved", {});
    const open = this.several?.open ?? [];
    if (open[0]) {
      this.several?.choose(open[0]);
      return this.refuse(`${open.length === 1 ? "One object needs" : `${open.length} objects need`} a judgment still: take an answer by its number, m for the merged box, or 0 to leave it out.`);
    }
    return this.several || this.amended || this.empty ? this.decide("amended", { boxes: this.root.boxes }) : this.decide("approved", {});
  }

  private reject(): Promise<void> {
    const problem = this.reasons.begun || this.reasons.marks.length === 0 ? this.reasons.pin() : "";
    if (problem === "") return this.decide("rejected", { marks: this.reasons.marks });
    this.reasons.open();
    return this.refuse(problem);
  }

  private openDiscard(): void {
    const details = this.part<HTMLDetailsElement>("[data-review-discard]");
    if (details) details.open = true;
    this.part<HTMLInputElement>('input[name="discard_note"]')?.focus();
  }

  private discard(): Promise<void> {
    return this.decide("discarded", { note: this.part<HTMLInputElement>('input[name="discard_note"]')?.value ?? "" });
  }

  // Says over the image why nothing was decided, until something is done.
  private refuse(text: string): Promise<void> {
    const region = this.part('[data-part="notice"]');
    const note = element("div", { class: "note info", role: "status" }, icon("info"), element("p", {}, text));
    region?.replaceChildren(note);
    const over = this.scope.child();
    const end = (): void => {
      over.dispose();
      note.remove();
    };
    over.after(refusalStays, end);
    for (const type of ["boxes:change", "boxes:choose"] as const) listen(over, this.root, type, end);
    over.on(this.root, "keydown", end);
    return Promise.resolve();
  }

  private async decide(decision: string, more: object): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.root.classList.add("sending");
    const body = { version: Number(this.root.dataset["version"]), decision, annotation: this.base, activeMs: Math.round(performance.now() - this.opened), ...more };
    try {
      const answer = await post(this.root.dataset["action"] ?? "", body);
      if (answer.ok) await this.goOn((await answer.json()) as Decided);
      else await this.failed(answer);
    } catch {
      emit(this.root, "notice", { tone: "bad", text: "The server cannot be reached. Nothing was decided; try again when the connection is back." });
    } finally {
      this.busy = false;
      this.root.classList.remove("sending");
    }
  }

  private async failed(answer: Response): Promise<void> {
    const fault = (await answer.json().catch(() => ({}))) as { detail?: string };
    const text = fault.detail ?? "The server could not do this. Nothing was changed; try again.";
    if (answer.status !== 409) return emit(this.root, "notice", { tone: "bad", text });
    keep(this.address, { why: text, matching: this.signature, boxes: this.root.boxes, judged: this.several?.judgedIds ?? [], marks: this.reasons.marks });
    const now = await fetchPage(location.href, this.scope.signal);
    if (now) swap(now);
  }

  // ---- what somebody else's decision left undone

  private get address(): string {
    return this.root.dataset["action"] ?? "";
  }

  /** Tells one set of answers from another. */
  private get signature(): string {
    return this.root.querySelector("#review-matching")?.textContent ?? "";
  }

  private offerKept(): void {
    const mine = keptFor(this.address);
    const region = this.part('[data-part="notice"]');
    if (!mine || !region) return;
    const again = element("button", { type: "button", class: "btn" }, "Take mine up again");
    const drop = element("button", { type: "button", class: "btn bare" }, "Leave it");
    const done = (): void => {
      forget(this.address);
      region.replaceChildren();
      this.part('[data-part="stage"]')?.focus({ preventScroll: true });
    };
    this.scope.on(again, "click", () => {
      this.takeUp(mine);
      done();
    });
    this.scope.on(drop, "click", done);
    const text = element("p", {}, element("b", {}, "Your decision was not stored. "), `${mine.why} What you had drawn is kept.`);
    region.replaceChildren(element("div", { class: "note warn", role: "alert" }, icon("triangle-alert"), text, element("span", { class: "row end" }, again, drop)));
  }

  private takeUp(mine: Kept): void {
    if (mine.matching === this.signature) {
      if (this.several) this.several.restore(mine.boxes, mine.judged);
      else this.root.replace(mine.boxes, "Taken up again");
      this.reasons.restore(mine.marks);
    } else this.root.replace(mine.boxes.map((b) => ({ ...b, id: newId() })), "Taken up again");
  }

  private next(): Promise<Waiting | null> {
    this.coming ??= fetchPage(this.root.dataset["next"] ?? "", this.scope.signal).catch(() => null);
    return this.coming;
  }

  private async goOn(done: Decided): Promise<void> {
    last = done;
    forget(this.address);
    announce(`${done.name}: ${done.word}${done.labelers === "" ? "" : `. The answers were those of ${done.labelers}`}`);
    const ready = await this.next();
    if (ready) return swap(ready);
    // What was not there some seconds ago may be by now.
    location.assign(done.next);
  }

  // ---- taking back

  private showLast(): void {
    const place = this.part("[data-review-last]");
    if (!place || !last) return;
    const undo = element("button", { type: "button", class: "btn bare" }, icon("undo-2"), "Undo ", element("kbd", {}, "u"));
    this.scope.on(undo, "click", () => void this.takeBack());
    const whose = last.labelers === "" ? [] : [element("span", { class: "faint whose", title: last.labelers }, last.labelers)];
    place.replaceChildren(element("span", {}, `${last.word}: ${last.name}`), ...whose, undo);
    place.hidden = false;
  }

  private async takeBack(): Promise<void> {
    if (!last) return announce("Nothing was decided yet on this page");
    const answer = await post(last.undo, {}).catch(() => null);
    const said = (await answer?.json().catch(() => ({}))) as { item?: string; detail?: string } | undefined;
    if (!answer?.ok || said?.item === undefined) {
      return emit(this.root, "notice", { tone: "warn", text: said?.detail ?? "The server cannot be reached. Nothing was taken back." });
    }
    last = null;
    const page = await fetchPage(said.item, this.scope.signal).catch(() => null);
    if (page) swap(page);
    else location.assign(said.item);
  }
}

function swap(page: Waiting): void {
  show(page);
  sweepIslands();
  document.querySelector<HTMLElement>('[data-part="stage"]')?.focus({ preventScroll: true });
}

function post(address: string, body: object): Promise<Response> {
  return fetch(address, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body) });
}

void customElements.whenDefined("box-workbench").then(() => {
  island("box-workbench[data-review]", (root, scope) => void new Desk(root as BoxWorkbench, scope));
});
