// The words on the page: the places where the answers differ, and the text that is taken.
import type { State } from "./state";
import type { Wording } from "./wording";

export class Spoken {
  constructor(
    private readonly root: HTMLElement,
    private readonly state: State,
    private readonly words: Wording,
  ) {}

  /** Shows what is taken. What is being typed in stays as it is typed. */
  show(chosen: number | null, typedIn: HTMLTextAreaElement | null): void {
    for (const area of this.root.querySelectorAll<HTMLTextAreaElement>("textarea[data-segment]")) {
      const text = this.words.texts[Number(area.dataset["segment"])] ?? "";
      if (area !== typedIn && area.value !== text) area.value = text;
    }
    for (const slot of this.words.differing) this.showSlot(slot, chosen);
    const made = this.root.querySelector('[data-part="made"]');
    if (made) made.textContent = madeOf(this.words.texts, this.words.open.length);
  }

  private showSlot(slot: number, chosen: number | null): void {
    const group = this.group(slot);
    if (!group) return;
    const open = this.words.isOpen(slot);
    const text = this.words.textOf(slot);
    group.classList.toggle("open", open);
    group.classList.toggle("own", this.words.isTyped(slot));
    group.toggleAttribute("aria-current", slot === chosen);
    group.querySelectorAll<HTMLElement>("[data-variant]").forEach((button, i) => {
      const on = !open && !this.words.isTyped(slot) && text !== null && this.state.parts[slot]?.variants[i]?.text === text;
      button.setAttribute("aria-checked", String(on));
    });
  }

  /** The place on the page. */
  group(slot: number): HTMLElement | null {
    return this.root.querySelector<HTMLElement>(`[data-slot="${slot}"]`);
  }

  /** What can be taken at a place, with the numbers of the keys. */
  variants(slot: number): string {
    return (this.state.parts[slot]?.variants ?? []).map((v, i) => `${i + 1} ${v.text === "" ? "no word" : v.text}`).join(", ");
  }

  /** Puts the cursor into the text: of the segment of a place, else the first. */
  write(slot: number | null): void {
    const segment = slot === null ? 0 : (this.state.parts[slot]?.segment ?? 0);
    this.root.querySelector<HTMLTextAreaElement>(`textarea[data-segment="${segment}"]`)?.focus();
  }
}

/** "12 words; 2 places are still to judge" */
export function madeOf(texts: readonly string[], open: number): string {
  const words = texts.join(" ").split(/\s+/u).filter(Boolean).length;
  return `${words === 1 ? "1 word" : `${words} words`}${open === 0 ? "" : `; ${open === 1 ? "1 place is" : `${open} places are`} still to judge`}`;
}
