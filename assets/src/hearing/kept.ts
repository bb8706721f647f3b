// What is said over the page: why nothing was decided, and what somebody else's decision left undone.
import { element, icon } from "../shared/dom";
import type { Scope } from "../shared/scope";
import type { Mark } from "./reasons";
import type { Taken } from "./taken";
import { part } from "./player";

const refusalStays = 8000;

/** What was made of an item when somebody else decided first: it can be taken up again while the tab lives. */
export interface Kept {
  readonly why: string;
  readonly texts: readonly string[];
  readonly taken: readonly Taken[];
  readonly marks: readonly Mark[];
}

const kept = new Map<string, Kept>();

export function keep(address: string, made: Kept): void {
  kept.set(address, made);
}

export function dropKept(address: string): void {
  kept.delete(address);
}

/** Says over the page why nothing was decided, until something is done. */
export function refuse(root: HTMLElement, scope: Scope, text: string): void {
  const note = element("div", { class: "note info", role: "status" }, icon("info"), element("p", {}, text));
  part(root, "notice").replaceChildren(note);
  const over = scope.child();
  const end = (): void => {
    over.dispose();
    note.remove();
  };
  over.after(refusalStays, end);
  over.on(root, "input", end);
  over.on(root, "click", end);
}

/** Offers what is kept of the item at this address, if anything is. */
export function offerKept(root: HTMLElement, scope: Scope, address: string, takeUp: (mine: Kept) => void): void {
  const mine = kept.get(address);
  if (!mine) return;
  const region = part(root, "notice");
  const again = element("button", { type: "button", class: "btn" }, "Take mine up again");
  const drop = element("button", { type: "button", class: "btn bare" }, "Leave it");
  const done = (): void => {
    dropKept(address);
    region.replaceChildren();
    part(root, "stage").focus({ preventScroll: true });
  };
  scope.on(again, "click", () => {
    takeUp(mine);
    done();
  });
  scope.on(drop, "click", done);
  const text = element("p", {}, element("b", {}, "Your decision was not stored. "), `${mine.why} What you had made of it is kept.`);
  region.replaceChildren(element("div", { class: "note warn", role: "alert" }, icon("triangle-alert"), text, element("span", { class: "row end" }, again, drop)));
}
