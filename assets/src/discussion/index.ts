// Completes the names of people in a comment, and shows what is said about the task that a workbench goes on to.
import htmx from "htmx.org";

import { element } from "../shared/dom";
import { listen } from "../shared/events";
import { island, sweepIslands } from "../shared/islands";
import type { Scope } from "../shared/scope";
import { completed, matching, partial } from "./mention";

const most = 8;
let lists = 0;

/** Offers the names that a text may mention, below it. The text keeps the focus; arrows choose, Enter or Tab takes. */
class Mentions {
  private readonly list = element("ul", { class: "names", role: "listbox", "aria-label": "People", hidden: "" });
  private offered: string[] = [];
  private chosen = 0;

  constructor(
    private readonly text: HTMLTextAreaElement,
    private readonly people: readonly string[],
    scope: Scope,
  ) {
    this.list.id = `names-${++lists}`;
    text.after(this.list);
    text.setAttribute("aria-controls", this.list.id);
    text.setAttribute("aria-autocomplete", "list");
    scope.on(text, "input", () => this.offer());
    scope.on(text, "click", () => this.offer());
    scope.on(text, "keydown", (event) => this.key(event));
    scope.on(text, "blur", () => this.close());
    scope.on(this.list, "pointerdown", (event) => {
      event.preventDefault(); // the text keeps the focus
      const item = event.target instanceof Element ? event.target.closest("li") : null;
      if (item) this.take([...this.list.children].indexOf(item));
    });
  }

  private offer(): void {
    const at = partial(this.text.value, this.text.selectionStart);
    this.offered = at ? matching(this.people, at.query).slice(0, most) : [];
    this.chosen = 0;
    this.show();
  }

  private show(): void {
    const items = this.offered.map((name, i) => element("li", { role: "option", id: `${this.list.id}-${i}`, "aria-selected": String(i === this.chosen) }, name));
    this.list.replaceChildren(...items);
    this.list.hidden = items.length === 0;
    if (items.length > 0) this.text.setAttribute("aria-activedescendant", `${this.list.id}-${this.chosen}`);
    else this.text.removeAttribute("aria-activedescendant");
  }

  private close(): void {
    this.offered = [];
    this.show();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      this.text.form?.requestSubmit();
      return;
    }
    if (this.offered.length === 0 || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : this.offered.length - 1;
      this.chosen = (this.chosen + step) % this.offered.length;
      this.show();
    } else if (event.key === "Enter" || event.key === "Tab") this.take(this.chosen);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private take(index: number): void {
    const at = partial(this.text.value, this.text.selectionStart);
    const name = this.offered[index];
    if (at && name !== undefined) {
      const done = completed(this.text.value, at, name);
      this.text.value = done.text;
      this.text.setSelectionRange(done.caret, done.caret);
    }
    this.close();
  }
}

island("[data-mentions]", (root, scope) => {
  const text = root.querySelector("textarea");
  const people = (root.dataset["mentions"] ?? "").split("\n").filter(Boolean);
  if (text && people.length > 0) new Mentions(text, people, scope);
});

/** Of an item that came back there is something to talk about; of any other the place stays empty. */
island("[data-talk]", (place, scope) => {
  const bench = place.closest("box-workbench, transcript-workbench");
  if (!bench) return;
  listen(scope, bench, "boxes:task", ({ item, task, reason }) => {
    place.replaceChildren();
    place.dataset["talk"] = String(item);
    sweepIslands();
    if (reason !== "initial") void fetchPanel(place, item, task, scope.signal);
  });
});

async function fetchPanel(place: HTMLElement, item: number, task: number, signal: AbortSignal): Promise<void> {
  try {
    const response = await fetch(`/discussion/${item}?back=/label/${task}`, { headers: { "HX-Request": "true", Accept: "text/html" }, signal });
    const panel = await response.text();
    if (!response.ok || place.dataset["talk"] !== String(item)) return;
    place.innerHTML = panel;
    htmx.process(place);
    sweepIslands();
  } catch (error) {
    if (!signal.aborted) console.warn(error);
  }
}
