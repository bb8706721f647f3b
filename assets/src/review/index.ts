// The reviewer's desk: decisions by key, the next item already there.
import type { BoxWorkbench } from "../boxes/index";
import type { OverlayInfo, State } from "../boxes/contract";
import { type Box, newId, same } from "../boxes/model";
import { listen } from "../shared/events";
import { island } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { Decisions } from "./decisions";
import { keep, offerKept } from "./kept";
import type { Mark } from "./marks";
import { Reasons } from "./reasons";
import { refuse } from "./refusal";
import { matchingOf, Several, stateOf } from "./several";

/** What is kept of an item that somebody else decided first. */
interface Left {
  /** Of the answers as they were then: other ones have other objects. */
  readonly matching: string;
  readonly boxes: readonly Box[];
  readonly judged: readonly string[];
  readonly marks: readonly Mark[];
}

class Desk {
  private readonly state: State;
  private readonly several: Several | null;
  private readonly reasons: Reasons;
  private readonly decisions: Decisions;
  private base: number;
  /** The boxes that the decision goes out from: the answer's, or the truth's. */
  private taken: readonly Box[];

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
      () => this.reject(),
    );
    root.dataset["ready"] = "";
    this.decisions = new Decisions(root, scope, (why) => this.keep(why));
    this.bindKeys();
    this.listen();
    this.changed();
    offerKept(root, scope, this.decisions.address, (made) => this.takeUp(made as Left));
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }

  private bindKeys(): void {
    const { root } = this;
    root.bind("approve", () => this.approve());
    if (this.part('input[name="fault"]')) root.bind("reject", () => this.reasons.open());
    root.bind("discard", () => this.openDiscard());
    root.bind("undo-decision", () => void this.decisions.takeBack());
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
    if (act === "approve") this.approve();
    if (act === "reject") this.reject();
    if (act === "discard") this.openDiscard();
    if (act === "throw") this.decide("discarded", { note: this.part<HTMLInputElement>('input[name="discard_note"]')?.value ?? "" });
    if (act === "leave-out") this.several?.leaveOut();
  }

  private submitted(e: Event): void {
    if (e.target instanceof HTMLFormElement && e.target.id === "review-form") e.preventDefault();
  }

  private approve(): void {
    if (this.truth && !this.amended) return this.decide("approved", {});
    const open = this.several?.open ?? [];
    if (open[0]) {
      this.several?.choose(open[0]);
      return this.refuse(`${open.length === 1 ? "One object needs" : `${open.length} objects need`} a judgment still: take an answer by its number, m for the merged box, or 0 to leave it out.`);
    }
    return this.several || this.amended || this.empty ? this.decide("amended", { boxes: this.root.boxes }) : this.decide("approved", {});
  }

  private reject(): void {
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

  private refuse(text: string): void {
    refuse(this.root, this.scope, text, (over, end) => {
      for (const type of ["boxes:change", "boxes:choose"] as const) listen(over, this.root, type, end);
      over.on(this.root, "keydown", end);
    });
  }

  private decide(decision: string, more: object): void {
    void this.decisions.send(decision, { annotation: this.base, ...more });
  }

  // ---- what somebody else's decision left undone

  /** Tells one set of answers from another. */
  private get signature(): string {
    return this.root.querySelector("#review-matching")?.textContent ?? "";
  }

  private keep(why: string): void {
    const left: Left = { matching: this.signature, boxes: this.root.boxes, judged: this.several?.judgedIds ?? [], marks: this.reasons.marks };
    keep(this.decisions.address, why, left);
  }

  private takeUp(mine: Left): void {
    if (mine.matching === this.signature) {
      if (this.several) this.several.restore(mine.boxes, mine.judged);
      else this.root.replace(mine.boxes, "Taken up again");
      this.reasons.restore(mine.marks);
    } else this.root.replace(mine.boxes.map((b) => ({ ...b, id: newId() })), "Taken up again");
  }
}

void customElements.whenDefined("box-workbench").then(() => {
  island("box-workbench[data-review]", (root, scope) => void new Desk(root as BoxWorkbench, scope));
});
