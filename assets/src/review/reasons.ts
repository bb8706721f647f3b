// Why an answer goes back: reasons pinned to boxes, to places, or to the whole of one answer or several.
import type { BoxWorkbench } from "../boxes/index";
import type { Box } from "../boxes/model";
import { element, icon } from "../shared/dom";
import { emit } from "../shared/events";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { type Fault, type Mark, type Target, targetOf, withMark } from "./marks";
import type { Several } from "./several";

/** What the reasons are about at present. */
export interface Ground {
  readonly root: BoxWorkbench;
  readonly scope: Scope;
  readonly several: Several | null;
  /** The boxes of the one answer that is looked at. */
  readonly answer: readonly Box[];
  className(id: number): string;
}

export class Reasons {
  marks: readonly Mark[] = [];

  constructor(
    private readonly ground: Ground,
    private readonly send: () => void,
  ) {
    const { root, scope } = ground;
    scope.on(root, "keydown", (e) => this.key(e));
    scope.on(root, "change", (e) => this.changed(e.target));
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.ground.root.querySelector<T>(selector);
  }

  private get whose(): readonly HTMLInputElement[] {
    return [...this.ground.root.querySelectorAll<HTMLInputElement>("input[data-whose]")];
  }

  private get note(): HTMLInputElement | null {
    return this.part<HTMLInputElement>('input[name="note"]');
  }

  /** Goes to the reasons; for an object of several answers, whose answer and why is put down already. */
  open(): void {
    const { several, root } = this.ground;
    const found = several?.current ? several.objects.suggestions(several.current) : [];
    const fault = found[0]?.fault;
    if (fault !== undefined) {
      for (const input of this.whose) input.checked = found.some((s) => s.answer === input.dataset["whose"]);
      const chip = root.querySelector<HTMLInputElement>(`input[name="fault"][value="${fault}"]`);
      if (chip) chip.checked = true;
    }
    const nobody = several !== null && !this.whose.some((input) => input.checked);
    const begun = this.part('input[name="fault"]:checked');
    const place = nobody ? this.whose[0] : begun ? this.note : this.part<HTMLInputElement>('input[name="fault"]');
    place?.focus();
    this.aim();
  }

  private changed(target: EventTarget | null): void {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.name === "fault") this.note?.focus();
    if (target.dataset["whose"] !== undefined) this.aim();
  }

  // Enter pins a reason with its note; Ctrl Enter sends all of them. A digit chooses whose answer it is about.
  private key(e: KeyboardEvent): void {
    const at = e.target;
    if (!(at instanceof HTMLInputElement) || e.isComposing || !(at.name === "note" || at.name === "fault" || at.dataset["whose"] !== undefined)) return;
    const digit = at.type === "text" || e.ctrlKey || e.altKey || e.metaKey ? undefined : this.whose[Number(e.key) - 1];
    if (digit) {
      digit.checked = !digit.checked;
      this.aim();
    } else if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) this.send();
    else if (e.key === "Enter") {
      const problem = this.pin();
      if (problem === "") announce(`Noted. ${this.marks.length} so far. Ctrl Enter sends ${this.goesBack()} back.`);
      else emit(this.ground.root, "notice", { tone: "info", text: problem });
    } else return;
    e.preventDefault();
  }

  private target(): Target {
    const { root, answer, className } = this.ground;
    return targetOf(root.chosen, answer, className(root.chosen?.class ?? 0));
  }

  /** Pins the chosen reason to what is chosen; says what is missing for that, or "". */
  pin(): string {
    const chip = this.part<HTMLInputElement>('input[name="fault"]:checked');
    if (!chip) return "Choose a reason first. Choose a box before to pin the reason to it.";
    const whose = this.whose.filter((input) => input.checked);
    const { several } = this.ground;
    if (several && whose.length === 0) return "Choose whose answer is to go back first.";
    const fault = chip.value as Fault;
    const note = this.note?.value.trim() ?? "";
    if (!several) this.add({ annotation: 0, fault, note, ...this.place() });
    for (const input of whose) {
      const pin = several?.current ? several.objects.pin(several.current, input.dataset["whose"] ?? "") : this.place();
      this.add({ annotation: Number(input.value), fault, note, ...pin });
      input.checked = false;
    }
    chip.checked = false;
    if (this.note) this.note.value = "";
    this.show();
    return "";
  }

  /** Whether a reason is chosen that is not pinned yet. */
  get begun(): boolean {
    return this.part('input[name="fault"]:checked') !== null;
  }

  private place(): { readonly position: number | null; readonly x: number | null; readonly y: number | null } {
    const { position, x, y } = this.target();
    return { position, x, y };
  }

  private add(mark: Mark): void {
    this.marks = withMark(this.marks, mark);
  }

  restore(marks: readonly Mark[]): void {
    this.marks = marks;
    this.show();
  }

  private letter(annotation: number): string {
    return this.whose.find((input) => Number(input.value) === annotation)?.dataset["whose"] ?? "";
  }

  /** "B and C", or "the answer": what would go back. */
  goesBack(): string {
    const marked = this.whose.filter((input) => input.checked || this.marks.some((m) => m.annotation === Number(input.value)));
    const letters = marked.map((input) => input.dataset["whose"] ?? "");
    if (letters.length === 0) return "the answer";
    return letters.length === 1 ? (letters[0] ?? "") : `${letters.slice(0, -1).join(", ")} and ${letters.at(-1)}`;
  }

  /** Says what a reason would be pinned to, and what would go back. */
  aim(): void {
    const { several } = this.ground;
    const words = this.part("[data-review-target]");
    const about = several?.current ? `about object ${several.objects.all.indexOf(several.current) + 1}` : several && !this.ground.root.chosen ? "about a whole answer" : this.target().words;
    if (words) words.textContent = about;
    const button = this.part('[data-review-act="reject"] [data-back]');
    if (button) button.textContent = several && this.goesBack() !== "the answer" ? ` ${this.goesBack()}` : "";
  }

  private show(): void {
    const { scope } = this.ground;
    const rows = this.marks.map((m) => {
      const fault = this.part(`input[name="fault"][value="${m.fault}"]`)?.parentElement?.textContent?.trim() ?? m.fault;
      const letter = this.letter(m.annotation);
      const about = m.position !== null ? `box ${m.position + 1}` : m.x !== null && m.y !== null ? `at ${Math.round(m.x)}, ${Math.round(m.y)}` : "the whole";
      const remove = element("button", { type: "button", class: "btn bare icon", "aria-label": `Remove: ${letter} ${fault}, ${about}` }, icon("x"));
      scope.on(remove, "click", () => {
        this.marks = this.marks.filter((other) => other !== m);
        this.show();
      });
      return element("li", {}, element("span", { class: "t" }, element("b", {}, letter === "" ? fault : `${letter}: ${fault}`), ` ${about}${m.note === "" ? "" : `: ${m.note}`}`), remove);
    });
    this.part("[data-review-marks]")?.replaceChildren(...rows);
    this.aim();
  }
}
