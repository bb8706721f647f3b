// The lists beside the image: classes with their keys, boxes, reviewers' remarks.
import { element, reveal } from "../shared/dom";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import type { ClassInfo, Mark, Reason } from "./contract";
import type { Editor } from "./editor";
import { angle, type Box } from "./model";

/** Elements of the page by the name in their data-part; what is absent is not filled. */
export type Parts = (name: string) => HTMLElement | null;

export class ClassList {
  private readonly list: HTMLElement | null;
  private readonly input: HTMLInputElement | null;
  private first: number | null = null;

  constructor(
    parts: Parts,
    scope: Scope,
    private readonly editor: () => Editor,
    private readonly back: () => void,
  ) {
    this.list = parts("classes");
    const input = parts("class-filter");
    this.input = input instanceof HTMLInputElement ? input : null;
    if (this.list) scope.on(this.list, "click", (e) => this.click(e));
    if (!this.input) return;
    scope.on(this.input, "input", () => this.filter());
    scope.on(this.input, "keydown", (e) => this.key(e));
  }

  /** Puts the cursor into the filter. */
  find(): void {
    this.input?.focus();
    this.input?.select();
  }

  load(): void {
    if (this.input) this.input.value = "";
    this.list?.replaceChildren(...this.editor().classes.map(row));
    this.filter();
    this.refresh();
  }

  /** Which class is chosen, and how many boxes each has. */
  refresh(): void {
    const editor = this.editor();
    const counts = new Map<number, number>();
    for (const b of editor.boxes.all) counts.set(b.class, (counts.get(b.class) ?? 0) + 1);
    for (const button of this.list?.querySelectorAll<HTMLElement>("[data-class]") ?? []) {
      const id = Number(button.dataset["class"]);
      const n = counts.get(id) ?? 0;
      button.setAttribute("aria-pressed", String(id === editor.classId));
      const here = button.querySelector(".n");
      if (here) here.textContent = n === 0 ? "" : `${n} here`;
    }
  }

  private matching(): readonly ClassInfo[] {
    const words = (this.input?.value ?? "").trim().toLocaleLowerCase();
    const { classes } = this.editor();
    const found = classes.filter((c) => c.name.toLocaleLowerCase().includes(words));
    const starts = (c: ClassInfo): number => Number(!c.name.toLocaleLowerCase().startsWith(words));
    return words === "" ? classes : [...found].sort((a, b) => starts(a) - starts(b));
  }

  private filter(): void {
    const found = this.matching();
    const all = this.editor().classes.length;
    this.first = this.input?.value ? (found[0]?.id ?? null) : null;
    for (const button of this.list?.querySelectorAll<HTMLElement>("[data-class]") ?? []) {
      const id = Number(button.dataset["class"]);
      const item = button.closest("li");
      if (item) item.hidden = !found.some((c) => c.id === id);
    }
    this.point();
    if (this.input?.value) announce(found.length === 0 ? "No class of that name" : `${found.length} of ${all}, first ${found[0]?.name}`);
  }

  private point(): void {
    for (const button of this.list?.querySelectorAll<HTMLElement>("[data-class]") ?? []) {
      const on = Number(button.dataset["class"]) === this.first;
      button.classList.toggle("first", on);
      if (on) button.scrollIntoView({ block: "nearest" });
    }
  }

  private key(e: KeyboardEvent): void {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      const found = this.matching();
      const at = found.findIndex((c) => c.id === this.first);
      const next = found[Math.max(0, Math.min(found.length - 1, at + (e.key === "ArrowDown" ? 1 : -1)))];
      this.first = next?.id ?? null;
      if (next) announce(next.name);
      this.point();
    } else if (e.key === "Enter" && !e.ctrlKey && !e.metaKey) {
      if (this.first !== null) this.editor().setClass(this.first);
      this.leave();
    } else if (e.key === "Escape") this.leave();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  private leave(): void {
    if (this.input) this.input.value = "";
    this.filter();
    this.back();
  }

  private click(e: MouseEvent): void {
    const button = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-class]") : null;
    if (!button) return;
    this.editor().setClass(Number(button.dataset["class"]));
    if (e.detail > 0) this.back();
  }
}

function row(info: ClassInfo): HTMLElement {
  const key = element("kbd", info.key === "" ? { class: "empty" } : {}, info.key);
  const name = element("span", { class: "t" }, info.name);
  const attributes = { type: "button", class: `c${info.slot}`, "data-class": String(info.id) };
  return element("li", {}, element("button", attributes, key, element("span", { class: "sw" }), name, element("span", { class: "n faint" })));
}

// With thousands of boxes the list shows the ones round the chosen one.
const shownRows = 60;

export class BoxList {
  private readonly list: HTMLElement | null;
  private readonly count: HTMLElement | null;
  private from = 0;

  constructor(
    parts: Parts,
    scope: Scope,
    private readonly editor: () => Editor,
    private readonly chosen: (box: Box, byMouse: boolean) => void,
  ) {
    this.list = parts("boxes");
    this.count = parts("box-count");
    if (this.list) scope.on(this.list, "click", (e) => this.click(e));
  }

  refresh(): void {
    if (this.count) this.count.textContent = String(this.editor().boxes.all.length);
    if (!this.list) return;
    const { boxes, chosen } = this.editor();
    const at = chosen ? boxes.indexOf(chosen.id) : -1;
    if (at >= 0 && (at < this.from || at >= this.from + shownRows)) this.from = at - shownRows / 2;
    this.from = Math.max(0, Math.min(this.from, boxes.all.length - shownRows));
    const until = Math.min(boxes.all.length, this.from + shownRows);
    const held = this.list.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset["box"] : undefined;
    const rows = boxes.all.slice(this.from, until).map((b, i) => this.row(b, this.from + i, b === chosen));
    const more = (by: number, n: number, where: string): HTMLElement[] =>
      n <= 0 ? [] : [element("li", {}, element("button", { type: "button", class: "more", "data-more": String(by) }, `${n} ${where}`))];
    this.list.replaceChildren(...more(-shownRows, this.from, "before"), ...rows, ...more(shownRows, boxes.all.length - until, "after"));
    if (held) this.list.querySelector<HTMLElement>(`[data-box="${CSS.escape(held)}"]`)?.focus();
    const current = this.list.querySelector<HTMLElement>('[aria-current="true"]');
    if (current) reveal(current, this.list);
  }

  private row(box: Box, at: number, current: boolean): HTMLElement {
    const editor = this.editor();
    const attributes = { type: "button", class: `c${editor.classOf(box)?.slot ?? 0}`, "data-box": box.id, ...(current ? { "aria-current": "true" } : {}) };
    const turned = box.rotation === 0 ? "" : ` ∠${angle(box.rotation)}`;
    const size = `${box.w.toFixed(1)} × ${box.h.toFixed(1).padStart(5)}${turned}`;
    return element(
      "li",
      {},
      element(
        "button",
        attributes,
        element("span", { class: "ix" }, String(at + 1)),
        element("span", { class: "sw" }),
        element("span", { class: "t" }, editor.nameOf(box)),
        element("span", { class: "mono faint" }, size),
      ),
    );
  }

  private click(e: MouseEvent): void {
    const button = e.target instanceof Element ? e.target.closest<HTMLElement>("button") : null;
    if (!button) return;
    if (button.dataset["more"]) {
      this.from += Number(button.dataset["more"]);
      this.refresh();
      return;
    }
    const box = this.editor().boxes.get(button.dataset["box"] ?? null);
    if (box) this.chosen(box, e.detail > 0);
  }
}

const reasons: Readonly<Record<Reason, string>> = {
  loose_box: "Loose box",
  missed_defect: "Missed defect",
  wrong_class: "Wrong class",
  split_needed: "Split needed",
  other: "Other",
  wrong_words: "Wrong words",
  missed_words: "Missed words",
  against_rules: "Against the rules",
  wrong_time: "Wrong time",
  missed_moment: "Missed moment",
  definition: "Definition changed",
};

/** Why an answer came back: remarks, each with a field to dispute it. */
export class MarkList {
  private readonly list: HTMLElement | null;
  private readonly section: HTMLElement | null;
  private marks: readonly Mark[] = [];

  constructor(
    parts: Parts,
    scope: Scope,
    private readonly go: (mark: Mark) => void,
    private readonly dispute: ((mark: Mark, text: string) => Promise<string>) | null,
  ) {
    this.list = parts("marks");
    this.section = parts("marks-section");
    if (!this.list) return;
    scope.on(this.list, "click", (e) => {
      const button = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-mark]") : null;
      const mark = this.marks[Number(button?.dataset["mark"])];
      if (button && mark) this.go(mark);
    });
    scope.on(this.list, "submit", (e) => void this.send(e));
  }

  load(marks: readonly Mark[], disputable: boolean): void {
    this.marks = marks;
    if (this.section) this.section.hidden = marks.length === 0;
    this.list?.replaceChildren(...marks.map((m, i) => this.row(m, i, disputable && this.dispute !== null)));
  }

  private row(mark: Mark, at: number, disputable: boolean): HTMLElement {
    const head = element("button", { type: "button", class: "remark", "data-mark": String(at) }, element("span", { class: "pin" }, String(at + 1)), element("b", {}, reasons[mark.reason]));
    const item = element("li", {}, head);
    if (mark.note !== "") item.append(element("p", { class: "quiet" }, mark.note));
    if (disputable && mark.reason !== "definition") {
      const label = `Dispute remark ${at + 1}`;
      item.append(
        element(
          "form",
          { "data-at": String(at), class: "row" },
          element("input", { class: "field", name: "text", maxlength: "500", required: "", placeholder: "Why it is right as it was", "aria-label": label }),
          element("button", { class: "btn" }, "Dispute"),
        ),
      );
    }
    return item;
  }

  private async send(e: Event): Promise<void> {
    e.preventDefault();
    const form = e.target instanceof HTMLFormElement ? e.target : null;
    const mark = this.marks[Number(form?.dataset["at"])];
    const input = form?.elements.namedItem("text");
    if (!form || !mark || !this.dispute || !(input instanceof HTMLInputElement)) return;
    const said = await this.dispute(mark, input.value.trim());
    if (said !== "") form.replaceWith(element("p", { class: "faint" }, said));
  }
}
