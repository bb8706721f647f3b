// The reviewer's desk: decisions by key, the next item already there.
import type { BoxWorkbench } from "../boxes/index";
import { completed, type OverlayInfo, type State } from "../boxes/contract";
import { type Box, same } from "../boxes/model";
import { element, icon } from "../shared/dom";
import { emit, listen } from "../shared/events";
import { island, sweepIslands } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { type Fault, type Mark, type Target, targetOf, withMark } from "./marks";
import { fetchPage, show, type Waiting } from "./next";

// The next item is fetched once the reviewer has settled on this one.
const prefetchAfter = 600;

/** What was decided last, on whichever item: it can be taken back from the next one. */
let last: { word: string; name: string; undo: string } | null = null;

interface Decided {
  readonly word: string;
  readonly name: string;
  readonly undo: string;
  readonly next: string;
}

class Desk {
  private readonly state: State;
  private readonly opened = performance.now();
  private base: number;
  /** The boxes that the decision goes out from: the answer's, or the truth's. */
  private taken: readonly Box[];
  private marks: readonly Mark[] = [];
  private busy = false;
  private coming: Promise<Waiting | null> | null = null;

  constructor(
    private readonly root: BoxWorkbench,
    private readonly scope: Scope,
  ) {
    this.state = completed(JSON.parse(root.querySelector('script[type="application/json"]')?.textContent ?? "{}") as State);
    this.base = Number(root.dataset["base"]);
    this.taken = this.state.boxes;
    root.dataset["ready"] = "";
    this.bindKeys();
    this.listen();
    this.showLast();
    this.changed();
    scope.after(prefetchAfter, () => void this.next());
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }

  private bindKeys(): void {
    const { root } = this;
    root.bind("approve", () => void this.approve());
    root.bind("reject", () => this.part<HTMLInputElement>('input[name="fault"]')?.focus());
    root.bind("discard", () => this.openDiscard());
    root.bind("undo-decision", () => void this.takeBack());
    if (this.state.overlays.length > 0) root.bind("take", (_, digit) => this.takeNth(Number(digit)));
  }

  private takeNth(n: number): void {
    const overlay = this.state.overlays[n - 1];
    if (overlay) this.take(overlay);
    else announce(`There is no answer ${n}`);
  }

  private listen(): void {
    const { scope, root } = this;
    listen(scope, root, "boxes:choose", () => this.aim());
    listen(scope, root, "boxes:change", () => this.changed());
    scope.on(root, "click", (e) => this.click(e));
    scope.on(root, "submit", (e) => this.submitted(e));
    scope.on(root, "change", (e) => this.chosen(e.target));
    scope.on(root, "keydown", (e) => this.key(e));
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
    return this.amended ? "Amend" : this.truth ? "Confirm" : "Approve";
  }

  private changed(): void {
    const word = this.part("[data-review-word]");
    if (word) word.textContent = `${this.acceptWord()}, next`;
    this.aim();
  }

  private take(overlay: OverlayInfo): void {
    const answer = this.part<HTMLInputElement>(`input[data-overlay="${overlay.id}"]`);
    if (answer) {
      answer.checked = true;
      this.base = Number(answer.value);
    } else this.base = Number(this.part<HTMLInputElement>('input[name="annotation"]')?.value ?? 0);
    this.taken = overlay.boxes.map((b, i) => ({ ...b, id: String(i) }));
    this.marks = [];
    this.root.replace(this.taken, `Answer ${overlay.id} taken`);
    this.showMarks();
    this.changed();
  }

  private target(): Target {
    const { chosen } = this.root;
    const name = this.state.classes.find((c) => c.id === chosen?.class)?.name ?? "";
    return targetOf(chosen, this.taken, name);
  }

  private aim(): void {
    const words = this.part("[data-review-target]");
    if (words) words.textContent = this.target().words;
  }

  // ---- reasons

  private note(): HTMLInputElement | null {
    return this.part<HTMLInputElement>('input[name="note"]');
  }

  /** Pins the chosen reason to the chosen box; false where none is chosen. */
  private pin(): boolean {
    const chip = this.part<HTMLInputElement>('input[name="fault"]:checked');
    if (!chip) return false;
    const { position, x, y } = this.target();
    const note = this.note();
    this.marks = withMark(this.marks, { fault: chip.value as Fault, note: note?.value.trim() ?? "", position, x, y });
    chip.checked = false;
    if (note) note.value = "";
    this.showMarks();
    return true;
  }

  private showMarks(): void {
    const rows = this.marks.map((m) => {
      const fault = this.part(`input[name="fault"][value="${m.fault}"]`)?.parentElement?.textContent?.trim() ?? m.fault;
      const about = m.position !== null ? `box ${m.position + 1}` : m.x !== null && m.y !== null ? `at ${Math.round(m.x)}, ${Math.round(m.y)}` : "the whole";
      const remove = element("button", { type: "button", class: "btn bare icon", "aria-label": `Remove: ${fault}, ${about}` }, icon("x"));
      this.scope.on(remove, "click", () => {
        this.marks = this.marks.filter((other) => other !== m);
        this.showMarks();
      });
      return element("li", {}, element("span", { class: "t" }, element("b", {}, fault), ` ${about}${m.note === "" ? "" : `: ${m.note}`}`), remove);
    });
    this.part("[data-review-marks]")?.replaceChildren(...rows);
  }

  private chosen(target: EventTarget | null): void {
    if (!(target instanceof HTMLInputElement)) return;
    const overlay = this.state.overlays.find((o) => o.id === target.dataset["overlay"]);
    if (overlay) this.take(overlay);
    if (target.name === "fault") this.note()?.focus();
  }

  // Enter pins a reason with its note; Ctrl Enter sends all of them.
  private key(e: KeyboardEvent): void {
    const at = e.target;
    if (e.key !== "Enter" || e.isComposing || !(at instanceof HTMLInputElement) || (at.name !== "note" && at.name !== "fault")) return;
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) return void this.reject();
    if (this.pin()) announce(`Noted. ${this.marks.length} so far. Ctrl Enter sends the answer back.`);
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
  }

  private submitted(e: Event): void {
    if (e.target instanceof HTMLFormElement && e.target.id === "review-form") e.preventDefault();
  }

  private approve(): Promise<void> {
    if (this.base === 0 && !this.truth && this.state.overlays.length > 0 && !this.amended) {
      return this.refuse("Take one of the answers first: 1, 2, 3 … or draw the boxes yourself.");
    }
    return this.amended || this.empty ? this.decide("amended", { boxes: this.root.boxes }) : this.decide("approved", {});
  }

  private reject(): Promise<void> {
    this.pin();
    if (this.base === 0 && this.state.overlays.length > 0) return this.refuse("Take the answer that is to go back first: 1, 2, 3 …");
    if (this.marks.length > 0) return this.decide("rejected", { marks: this.marks });
    this.part<HTMLInputElement>('input[name="fault"]')?.focus();
    return this.refuse("Choose a reason first. Choose a box before to pin the reason to it.");
  }

  private openDiscard(): void {
    const details = this.part<HTMLDetailsElement>("[data-review-discard]");
    if (details) details.open = true;
    this.part<HTMLInputElement>('input[name="discard_note"]')?.focus();
  }

  private discard(): Promise<void> {
    return this.decide("discarded", { note: this.part<HTMLInputElement>('input[name="discard_note"]')?.value ?? "" });
  }

  private refuse(text: string): Promise<void> {
    emit(this.root, "notice", { tone: "info", text });
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
    emit(this.root, "notice", { tone: answer.status === 409 ? "warn" : "bad", text: fault.detail ?? "The server could not do this. Nothing was changed; try again." });
    if (answer.status !== 409) return;
    const now = await fetchPage(location.href, this.scope.signal);
    if (now) swap(now);
  }

  private next(): Promise<Waiting | null> {
    this.coming ??= fetchPage(this.root.dataset["next"] ?? "", this.scope.signal).catch(() => null);
    return this.coming;
  }

  private async goOn(done: Decided): Promise<void> {
    last = done;
    announce(`${done.name}: ${done.word}`);
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
    place.replaceChildren(`${last.word}: ${last.name}`, undo);
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
