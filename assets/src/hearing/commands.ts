// What the keys and the buttons of the desk do.
import { chordOf, type Keys } from "../boxes/keys";
import { openSheet } from "../boxes/sheet";
import type { Scope } from "../shared/scope";

/** What the desk can be told. */
export interface Told {
  /** Starts an action of the table of keys; false where it has none. */
  act(id: string, chord: string): boolean;
  /** Presses the button of a decision. */
  decide(button: string): void;
  /** Takes a variant at a place. */
  variant(slot: number, n: number): void;
  /** Plays a stretch that all answers have in common. */
  run(part: number): void;
  /** Chooses a moment in the table. */
  object(id: string): void;
  approve(): void;
}

const typed = 'textarea, select, input:not([type="radio"], [type="checkbox"])';

/** The buttons by what they say that they do. */
const buttons: Readonly<Record<string, string>> = {
  play: "hear-play",
  back: "hear-back",
  "play-place": "hear-place",
  previous: "hear-previous",
  next: "hear-next",
  slower: "hear-slower",
  faster: "hear-faster",
  models: "hear-models",
};

export class Commands {
  constructor(
    private readonly root: HTMLElement,
    scope: Scope,
    private readonly keys: Keys,
    private readonly own: Readonly<Record<string, string>>,
    private readonly told: Told,
  ) {
    scope.on(document, "keydown", (e) => this.key(e));
    // Before the page's own sheet, which does not know the keys of this desk.
    scope.on(document, "keydown", (e) => this.sheet(e), { capture: true });
    scope.on(root, "click", (e) => this.click(e));
  }

  private key(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.isComposing || document.querySelector("dialog[open]")) return;
    const at = e.target instanceof HTMLElement ? e.target : null;
    const chord = chordOf(e);
    if (at?.matches(typed)) {
      if (chord === "Escape") this.root.querySelector<HTMLElement>('[data-part="stage"]')?.focus();
      else if (chord === "Ctrl Enter" && at.dataset["segment"] !== undefined) this.told.approve();
      else if (!chord.startsWith("Alt ") || !this.told.act(this.keys.find(chord)?.id ?? "", chord)) return;
      return e.preventDefault();
    }
    if (at && !at.matches("body, [data-part=stage], .variant") && (chord === "Space" || chord === "Enter" || chord.startsWith("Arrow"))) return;
    if (at && at !== document.body && !this.root.contains(at)) return;
    const action = this.keys.find(chord);
    if (!action || !this.told.act(action.id, chord)) return;
    e.preventDefault();
  }

  private sheet(e: KeyboardEvent): void {
    const typing = e.target instanceof HTMLElement && e.target.matches(typed);
    if (typing || e.defaultPrevented || document.querySelector("dialog[open]") || this.keys.find(chordOf(e))?.id !== "keys") return;
    e.preventDefault();
    openSheet(this.keys, this.own, null);
  }

  private click(e: MouseEvent): void {
    const at = e.target instanceof Element ? e.target : null;
    const found = (name: string): string | undefined => at?.closest<HTMLElement>(`[data-${name}]`)?.dataset[name];
    const [variant, run, object, act] = ["variant", "run", "object", "act"].map(found);
    if (variant !== undefined) return this.told.variant(Number(found("slot")), Number(variant));
    if (run !== undefined) return this.told.run(Number(run));
    if (object !== undefined) return this.told.object(object);
    if (act !== undefined) return void this.told.act(buttons[act] ?? act, "");
    const decision = at?.closest<HTMLElement>("[data-review-act]")?.dataset["reviewAct"];
    if (decision === undefined) return;
    e.preventDefault();
    this.told.decide(decision);
  }
}
