// Goes through findings of personal data by key, and turns selected words into a new one.
import { island } from "../shared/islands";
import { bindKeys } from "../shared/keys";
import type { Scope } from "../shared/scope";

/** The runes of the text of a line before a place in it: the server counts characters, the browser UTF-16 units. */
function runesBefore(line: Element, node: Node, offset: number): number {
  const range = document.createRange();
  range.selectNodeContents(line);
  range.setEnd(node, offset);
  return [...range.toString()].length;
}

class Findings {
  private at = -1;

  constructor(
    private readonly list: HTMLElement,
    scope: Scope,
  ) {
    bindKeys(scope, {
      title: "Personal data",
      rows: [
        { chord: "j", does: "Next finding", run: () => this.go(1) },
        { chord: "k", does: "Previous finding", run: () => this.go(-1) },
        { chord: "c", does: "Confirm it", run: () => this.decide("confirmed") },
        { chord: "x", does: "Dismiss it", run: () => this.decide("dismissed") },
      ],
    });
    scope.on(document, "selectionchange", () => this.select());
    this.go(1, false);
  }

  private rows(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>(".personal-row")];
  }

  private go(by: number, focus = true): void {
    const rows = this.rows();
    if (rows.length === 0) return;
    rows[this.at]?.removeAttribute("aria-current");
    this.at = Math.min(Math.max(this.at + by, 0), rows.length - 1);
    const row = rows[this.at];
    row?.setAttribute("aria-current", "true");
    if (focus) {
      row?.focus();
      row?.scrollIntoView({ block: "nearest" });
    }
  }

  private decide(state: string): void {
    this.rows()[this.at]?.querySelector<HTMLButtonElement>(`button[value="${state}"]`)?.click();
  }

  /** Fills the form with the words that are selected in one line, and shows it. */
  private select(): void {
    const form = this.list.querySelector<HTMLFormElement>("[data-personal-add]");
    const selection = document.getSelection();
    if (!form || !selection || selection.isCollapsed || selection.rangeCount === 0) return;
    const range = selection.getRangeAt(0);
    const start = range.startContainer.parentElement?.closest("[data-personal-text]");
    const row = start?.closest<HTMLElement>(".personal-row");
    if (!start || !row || !this.list.contains(row) || !start.contains(range.endContainer)) return;
    const words = range.toString();
    const first = runesBefore(start, range.startContainer, range.startOffset) + [...words].length - [...words.trimStart()].length;
    const last = first + [...words.trim()].length;
    if (last === first) return;
    for (const [name, value] of Object.entries({ item: row.dataset["item"], segment: row.dataset["segment"], first, last })) {
      const field = form.elements.namedItem(name);
      if (field instanceof HTMLInputElement) field.value = String(value);
    }
    const quote = form.querySelector("[data-personal-words]");
    if (quote) quote.textContent = words.trim();
    row.after(form);
    form.hidden = false;
  }
}

island("[data-personal]", (list, scope) => void new Findings(list, scope));
