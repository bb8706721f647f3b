// The `?` sheet: made from the table that binds the keys, and the place to change them.
import { showOnce } from "../shared/dialogs";
import { element, icon } from "../shared/dom";
import { keyTables } from "../shared/keys";
import { Scope } from "../shared/scope";
import { chordOf, type Key, type Keys } from "./keys";

const words: Readonly<Record<string, string>> = { Digits: "1 … 9, 0", Arrows: "← ↑ ↓ →", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", ArrowRight: "→", Delete: "Del", Escape: "Esc" };

function caps(chord: string): HTMLElement[] {
  return chord.split(" ").map((key) => element("kbd", {}, words[key] ?? key));
}

/** `save` keeps the person's chords by action; without it keys cannot be changed here. */
export function openSheet(keys: Keys, own: Readonly<Record<string, string>>, save: ((own: Record<string, string>) => Promise<string>) | null): void {
  if (document.querySelector("dialog.sheet")) return;
  const scope = new Scope();
  const close = element("button", { type: "button", class: "btn bare icon", "aria-label": "Close" }, icon("x"));
  const body = element("div", { class: "in" });
  const hint = save ? "Choose a key to change it: press the new one, or Esc to leave it." : "";
  const said = element("p", { class: "faint", role: "status" }, hint);
  const dialog = element(
    "dialog",
    { class: "sheet wide", "aria-labelledby": "sheet-title" },
    element("header", {}, element("h2", { id: "sheet-title" }, "Keys"), close),
    body,
    element("div", { class: "in foot" }, said),
  );
  const fill = (): void => body.replaceChildren(...groups(keys, save !== null), ...general());
  fill();
  scope.on(close, "click", () => dialog.close());
  if (save) new Remapping(keys, { ...own }, dialog, said, save, fill, scope);
  showOnce(dialog, scope);
}

function groups(keys: Keys, changeable: boolean): HTMLElement[] {
  const names = [...new Set(keys.rows.map((k) => k.group))];
  return names.map((name) => {
    const rows = keys.rows.filter((k) => k.group === name).flatMap((k) => row(k, keys, changeable));
    return element("section", {}, element("h3", {}, name), element("dl", { class: "keys" }, ...rows));
  });
}

function row(key: Key, keys: Keys, changeable: boolean): HTMLElement[] {
  const chord = keys.chord(key);
  // In review 0 has a meaning of its own.
  const shown = key.id === "take" ? caps("1…9") : caps(chord);
  if (!changeable || key.fixed) return [element("dt", {}, key.label), element("dd", {}, ...shown)];
  const button = element("button", { type: "button", class: "cap", "data-key": key.id }, ...shown, element("span", { class: "vh" }, `, change the key of: ${key.label}`));
  return [element("dt", {}, key.label), element("dd", {}, button)];
}

function general(): HTMLElement[] {
  return keyTables().map((table) => {
    // The sheet itself has a row above.
    const rows = table.rows.filter((r) => r.chord !== "?").flatMap((r) => [element("dt", {}, r.does), element("dd", {}, ...r.chord.split(/,? /).map((k) => element("kbd", {}, k)))]);
    return element("section", {}, element("h3", {}, table.title), element("dl", { class: "keys" }, ...rows));
  });
}

class Remapping {
  private asked: string | null = null;

  constructor(
    private readonly keys: Keys,
    private readonly own: Record<string, string>,
    private readonly dialog: HTMLElement,
    private readonly said: HTMLElement,
    private readonly save: (own: Record<string, string>) => Promise<string>,
    private readonly fill: () => void,
    scope: Scope,
  ) {
    scope.on(dialog, "click", (e) => {
      const button = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-key]") : null;
      if (button) this.ask(button);
    });
    scope.on(dialog, "keydown", (e) => void this.press(e));
  }

  private ask(button: HTMLElement): void {
    this.asked = button.dataset["key"] ?? null;
    for (const other of this.dialog.querySelectorAll(".cap.asked")) other.classList.remove("asked");
    button.classList.add("asked");
    this.said.textContent = "Press the new key.";
  }

  private async press(e: KeyboardEvent): Promise<void> {
    if (this.asked === null || ["Control", "Alt", "Shift", "Meta", "Tab"].includes(e.key)) return;
    e.preventDefault();
    e.stopPropagation();
    const id = this.asked;
    const chord = chordOf(e);
    this.asked = null;
    const taken = this.keys.taken(chord, id);
    if (chord === "Escape") this.said.textContent = "Left as it was.";
    else if (taken) this.said.textContent = `${chord} is taken: ${taken.label}. Change that one first.`;
    else {
      this.own[id] = chord;
      this.keys.remap(this.own);
      this.said.textContent = await this.save(this.own);
    }
    this.fill();
    this.dialog.querySelector<HTMLElement>(`[data-key="${id}"]`)?.focus();
  }
}
