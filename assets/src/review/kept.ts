// What a reviewer had made of an item when somebody else decided first: it is kept while the tab lives, and can be taken up again.
import { element, icon } from "../shared/dom";
import type { Scope } from "../shared/scope";

interface Kept {
  /** What the server said. */
  readonly why: string;
  readonly made: unknown;
}

const kept = new Map<string, Kept>();

/** Keeps it under the address that the item's decisions go to. */
export function keep(address: string, why: string, made: unknown): void {
  kept.set(address, { why, made });
}

export function dropKept(address: string): void {
  kept.delete(address);
}

/** Offers what is kept of the item at this address, if anything is: what the desk of its kind had handed to keep. */
export function offerKept(root: HTMLElement, scope: Scope, address: string, takeUp: (made: unknown) => void): void {
  const mine = kept.get(address);
  const region = root.querySelector<HTMLElement>('[data-part="notice"]');
  if (!mine || !region) return;
  const again = element("button", { type: "button", class: "btn" }, "Take mine up again");
  const drop = element("button", { type: "button", class: "btn bare" }, "Leave it");
  const done = (): void => {
    dropKept(address);
    region.replaceChildren();
    root.querySelector<HTMLElement>('[data-part="stage"]')?.focus({ preventScroll: true });
  };
  scope.on(again, "click", () => {
    takeUp(mine.made);
    done();
  });
  scope.on(drop, "click", done);
  const text = element("p", {}, element("b", {}, "Your decision was not stored. "), `${mine.why} What you had made of it is kept.`);
  region.replaceChildren(element("div", { class: "note warn", role: "alert" }, icon("triangle-alert"), text, element("span", { class: "row end" }, again, drop)));
}
