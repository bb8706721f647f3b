// Why an answer goes back: reasons pinned to a moment, to a place in time, or to the whole of one answer or several.
import { element, icon } from "../shared/dom";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import type { Ground } from "./ground";
import { clock } from "./state";

export interface Mark {
  readonly annotation: number;
  readonly fault: string;
  readonly note: string;
  readonly position: number | null;
  readonly x: number | null;
  readonly y: number | null;
}

export class Reasons {
  marks: readonly Mark[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
    private readonly ground: () => Ground,
    private readonly told: { readonly send: () => void; readonly refuse: (text: string) => void },
  ) {
    scope.on(root, "keydown", (e) => this.key(e));
    scope.on(root, "change", (e) => {
      if (e.target instanceof HTMLInputElement && e.target.name === "fault") this.note?.focus();
      this.aim();
    });
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }

  private get whose(): readonly HTMLInputElement[] {
    return [...this.root.querySelectorAll<HTMLInputElement>("input[data-whose]")];
  }

  private get note(): HTMLInputElement | null {
    return this.part<HTMLInputElement>('input[name="note"]');
  }

  /** Whether a reason is chosen that is not pinned yet. */
  get begun(): boolean {
    return this.part('input[name="fault"]:checked') !== null;
  }

  open(): void {
    const { guesses } = this.ground();
    const fault = guesses[0]?.fault;
    if (fault !== undefined && !this.begun) {
      for (const input of this.whose) input.checked = guesses.some((g) => g.fault === fault && g.letter === input.dataset["whose"]);
      const chip = this.part<HTMLInputElement>(`input[name="fault"][value="${fault}"]`);
      if (chip) chip.checked = true;
    }
    const nobody = this.whose.length > 0 && !this.whose.some((input) => input.checked);
    (nobody ? this.whose[0] : this.begun ? this.note : this.part<HTMLInputElement>('input[name="fault"]'))?.focus();
    this.aim();
  }

  private key(e: KeyboardEvent): void {
    const at = e.target;
    if (!(at instanceof HTMLInputElement) || e.isComposing || !(at.name === "note" || at.name === "fault" || at.dataset["whose"] !== undefined)) return;
    const digit = at.type === "text" || e.ctrlKey || e.altKey || e.metaKey ? undefined : this.whose[Number(e.key) - 1];
    if (digit) {
      digit.checked = !digit.checked;
      this.aim();
    } else if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) this.told.send();
    else if (e.key === "Enter") {
      const problem = this.pin();
      if (problem === "") announce(`Noted. ${this.marks.length} so far. Ctrl Enter sends ${this.goesBack()} back.`);
      else this.told.refuse(problem);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  /** Pins the chosen reason to what is looked at; says what is missing for that, or "". */
  pin(): string {
    const chip = this.part<HTMLInputElement>('input[name="fault"]:checked');
    if (!chip) return "Choose a reason first. Choose a place before, or click the waveform, to pin the reason to it.";
    const whose = this.whose.filter((input) => input.checked);
    if (this.whose.length > 0 && whose.length === 0) return "Choose whose answer is to go back first.";
    const note = this.note?.value.trim() ?? "";
    if (chip.value === "other" && note === "") return "Say in a word what is wrong, where the reason is “other”.";
    const ground = this.ground();
    for (const annotation of this.whose.length > 0 ? whose.map((input) => Number(input.value)) : [0]) {
      const mark: Mark = { annotation, fault: chip.value, note, ...ground.pin(annotation) };
      this.marks = [...this.marks.filter((m) => !(m.annotation === mark.annotation && m.fault === mark.fault && m.position === mark.position && m.x === mark.x)), mark];
    }
    for (const input of whose) input.checked = false;
    chip.checked = false;
    if (this.note) this.note.value = "";
    this.show();
    return "";
  }

  restore(marks: readonly Mark[]): void {
    this.marks = marks;
    this.show();
  }

  private letter(annotation: number): string {
    return this.whose.find((input) => Number(input.value) === annotation)?.dataset["whose"] ?? "";
  }

  private goesBack(): string {
    const marked = this.whose.filter((input) => input.checked || this.marks.some((m) => m.annotation === Number(input.value)));
    const letters = marked.map((input) => input.dataset["whose"] ?? "");
    if (letters.length === 0) return "the answer";
    return letters.length === 1 ? (letters[0] ?? "") : `${letters.slice(0, -1).join(", ")} and ${letters.at(-1)}`;
  }

  /** Says what a reason would be pinned to, and what would go back. */
  aim(): void {
    const words = this.part("[data-review-target]");
    if (words) words.textContent = this.ground().words;
    const button = this.part('[data-review-act="reject"] [data-back]');
    if (button) button.textContent = this.goesBack() === "the answer" ? "" : ` ${this.goesBack()}`;
  }

  private show(): void {
    const rows = this.marks.map((m) => {
      const fault = this.part(`input[name="fault"][value="${m.fault}"]`)?.parentElement?.textContent?.trim() ?? m.fault;
      const letter = this.letter(m.annotation);
      const about = m.position !== null ? `moment ${m.position + 1}` : m.x !== null ? `at ${clock(m.x)}` : "the whole";
      const remove = element("button", { type: "button", class: "btn bare icon", "aria-label": `Remove: ${letter} ${fault}, ${about}` }, icon("x"));
      this.scope.on(remove, "click", () => {
        this.marks = this.marks.filter((other) => other !== m);
        this.show();
      });
      return element("li", {}, element("span", { class: "t" }, element("b", {}, letter === "" ? fault : `${letter}: ${fault}`), ` ${about}${m.note === "" ? "" : `: ${m.note}`}`), remove);
    });
    this.part("[data-review-marks]")?.replaceChildren(...rows);
    this.aim();
  }
}
