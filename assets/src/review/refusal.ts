// Why nothing was decided is said over the item until something is done.
import { element, icon } from "../shared/dom";
import type { Scope } from "../shared/scope";

const refusalStays = 8000;

export function refuse(root: HTMLElement, scope: Scope, text: string, done: (over: Scope, end: () => void) => void): void {
  const note = element("div", { class: "note info", role: "status" }, icon("info"), element("p", {}, text));
  root.querySelector('[data-part="notice"]')?.replaceChildren(note);
  const over = scope.child();
  const end = (): void => {
    over.dispose();
    note.remove();
  };
  over.after(refusalStays, end);
  done(over, end);
}
