// The table of objects beside the image: one of its rows is chosen, one is under the pointer.
import { element } from "../shared/dom";
import type { Scope } from "../shared/scope";
import type { Objects, Status, Thing } from "./objects";

export class ObjectTable {
  private readonly rows = new Map<string, HTMLElement>();
  private hovered: HTMLElement | null = null;

  constructor(
    place: HTMLElement,
    private readonly scope: Scope,
    private readonly objects: Objects,
    private readonly told: { readonly choose: (thing: Thing, byMouse: boolean) => void; readonly hover: (thing: Thing | null) => void },
  ) {
    for (const row of place.querySelectorAll<HTMLElement>("[data-object]")) {
      this.rows.set(row.dataset["object"] ?? "", row);
      const number = row.querySelector("td");
      if (number) number.replaceChildren(element("button", { type: "button", class: "pick", "aria-pressed": "false" }, element("span", { class: "vh" }, "Object "), number.textContent ?? ""));
    }
    scope.on(place, "click", (e) => this.click(e));
    scope.on(place, "pointerover", (e) => told.hover(this.at(e)));
    scope.on(place, "pointerleave", () => told.hover(null));
    scope.on(place, "focusin", (e) => this.at(e) && told.choose(this.at(e) as Thing, false));
  }

  private at(e: Event): Thing | null {
    return this.objects.of((e.target as Element).closest<HTMLElement>("[data-object]")?.dataset["object"] ?? null);
  }

  private click(e: MouseEvent): void {
    const thing = this.at(e);
    if (thing) this.told.choose(thing, e.detail > 0);
  }

  /** Shows which object is chosen, and brings its row into sight. */
  choose(thing: Thing | null): void {
    for (const [id, row] of this.rows) {
      const on = id === thing?.id;
      if (on === row.hasAttribute("aria-current")) continue;
      row.toggleAttribute("aria-current", on);
      row.querySelector(".pick")?.setAttribute("aria-pressed", String(on));
      // With the frame's own layout, which it would force otherwise.
      if (on) this.scope.frame(() => row.scrollIntoView({ block: "nearest" }));
    }
  }

  hover(thing: Thing | null): void {
    this.hovered?.classList.remove("over");
    this.hovered = thing ? (this.rows.get(thing.id) ?? null) : null;
    this.hovered?.classList.add("over");
  }

  show(thing: Thing, status: Status): void {
    const row = this.rows.get(thing.id);
    const cell = row?.querySelector("[data-taken]");
    const word = wordOf(status);
    if (cell && cell.textContent !== word) cell.textContent = word;
    row?.classList.toggle("open", status === "open");
  }

  /** The row that has the focus within it takes it to another. */
  focus(thing: Thing): void {
    if ([...this.rows.values()].some((row) => row.contains(document.activeElement))) this.rows.get(thing.id)?.querySelector<HTMLElement>(".pick")?.focus();
  }
}

export function wordOf(status: Status): string {
  if (typeof status === "object") return status.answer;
  return { open: "to judge", out: "left out", merged: "merged", amended: "amended" }[status];
}
