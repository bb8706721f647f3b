// What a reviewer's desk sends to the server: a decision, and what takes the last one back; and the next item, which is fetched meanwhile.
import { element, icon } from "../shared/dom";
import { emit } from "../shared/events";
import { sweepIslands } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { dropKept } from "./kept";
import { fetchPage, show, type Waiting } from "./next";

// The next item is fetched once the reviewer has settled on this one.
const prefetchAfter = 600;

interface Decided {
  readonly word: string;
  readonly name: string;
  readonly labelers: string;
  readonly undo: string;
  readonly next: string;
}

/** What was decided last, on whichever item: it can be taken back from the next one. */
let last: Decided | null = null;

export class Decisions {
  private readonly opened = performance.now();
  private busy = false;
  private coming: Promise<Waiting | null> | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
    /** Somebody else decided first: what was made of the item is to be kept. */
    private readonly late: (why: string) => void,
  ) {
    this.showLast();
    scope.after(prefetchAfter, () => void this.next());
  }

  get address(): string {
    return this.root.dataset["action"] ?? "";
  }

  async send(decision: string, more: object): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.root.classList.add("sending");
    const body = { version: Number(this.root.dataset["version"]), decision, activeMs: Math.round(performance.now() - this.opened), ...more };
    try {
      const answer = await post(this.address, body);
      if (answer.ok) await this.goOn((await answer.json()) as Decided);
      else await this.failed(answer);
    } catch {
      emit(this.root, "notice", { tone: "bad", text: "The server cannot be reached. Nothing was decided; try again when the connection is back." });
    } finally {
      this.busy = false;
      this.root.classList.remove("sending");
    }
  }

  private async failed(answer: Response): Promise<void> {
    const fault = (await answer.json().catch(() => ({}))) as { detail?: string };
    const text = fault.detail ?? "The server could not do this. Nothing was changed; try again.";
    if (answer.status !== 409) return emit(this.root, "notice", { tone: "bad", text });
    this.late(text);
    const now = await fetchPage(location.href, this.scope.signal);
    if (now) swap(now);
  }

  private next(): Promise<Waiting | null> {
    this.coming ??= fetchPage(this.root.dataset["next"] ?? "", this.scope.signal).catch(() => null);
    return this.coming;
  }

  private async goOn(done: Decided): Promise<void> {
    last = done;
    dropKept(this.address);
    announce(`${done.name}: ${done.word}${done.labelers === "" ? "" : `. The answers were those of ${done.labelers}`}`);
    const ready = await this.next();
    if (ready) return swap(ready);
    // What was not there some seconds ago may be by now.
    location.assign(done.next);
  }

  // ---- taking back

  private showLast(): void {
    const place = this.root.querySelector<HTMLElement>("[data-review-last]");
    if (!place || !last) return;
    const undo = element("button", { type: "button", class: "btn bare" }, icon("undo-2"), "Undo ", element("kbd", {}, "u"));
    this.scope.on(undo, "click", () => void this.takeBack());
    const whose = last.labelers === "" ? [] : [element("span", { class: "faint whose", title: last.labelers }, last.labelers)];
    place.replaceChildren(element("span", {}, `${last.word}: ${last.name}`), ...whose, undo);
    place.hidden = false;
  }

  async takeBack(): Promise<void> {
    if (!last) return announce("Nothing was decided yet on this page");
    const answer = await post(last.undo, {}).catch(() => null);
    const said = (await answer?.json().catch(() => ({}))) as { item?: string; detail?: string } | undefined;
    if (!answer?.ok || said?.item === undefined) {
      return emit(this.root, "notice", { tone: "warn", text: said?.detail ?? "The server cannot be reached. Nothing was taken back." });
    }
    last = null;
    const page = await fetchPage(said.item, this.scope.signal).catch(() => null);
    if (page) swap(page);
    else location.assign(said.item);
  }
}

function swap(page: Waiting): void {
  show(page);
  sweepIslands();
  document.querySelector<HTMLElement>('[data-part="stage"]')?.focus({ preventScroll: true });
}

export function post(address: string, body: object): Promise<Response> {
  return fetch(address, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body) });
}
