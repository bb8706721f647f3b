// The line above the image: which item, whether it is saved, how long it is held.
import { element, icon } from "../shared/dom";
import type { State } from "./contract";
import type { DraftState } from "./draft";
import { countdown, type LeaseView, scalePaths } from "./lease";
import type { Parts } from "./panels";
import { set } from "./svg";

const why: Readonly<Record<State["reason"], string>> = {
  initial: "",
  rework: "Sent back by a reviewer",
  relabel: "Again, under a new definition",
};

export class Status {
  private said = "";
  private lastScale = "";

  constructor(private readonly parts: Parts) {}

  load(state: State): void {
    const put = (name: string, text: string): void => {
      const node = this.parts(name);
      if (node) node.textContent = text;
    };
    put("title", state.title);
    const reason = this.parts("reason");
    if (reason) {
      reason.hidden = why[state.reason] === "";
      reason.textContent = why[state.reason];
    }
    this.parts("facts")?.replaceChildren(...state.facts.map((f) => element("span", {}, f)));
    const recall = this.parts("recall");
    if (recall) {
      recall.hidden = state.recallable === null;
      recall.title = state.recallable ? `Take back ${state.recallable.title}, until it is reviewed` : "";
    }
    const row = this.parts("lease");
    if (row) row.hidden = state.leaseUntil === null;
    this.notice("", "");
    document.title = `${state.title} · Fiducial`;
    const crumb = document.querySelector(".crumbs [aria-current]");
    if (crumb) crumb.textContent = state.title;
  }

  /** Takes the item's name off the page. */
  clear(): void {
    document.title = "Erased · Fiducial";
    const title = this.parts("title");
    if (title) title.textContent = "Erased";
    const reason = this.parts("reason");
    if (reason) reason.hidden = true;
    this.parts("facts")?.replaceChildren();
    const crumb = document.querySelector(".crumbs [aria-current]");
    if (crumb) crumb.textContent = "Erased";
  }

  draft(state: DraftState): void {
    const [tone, name, text] = draftText(state);
    const node = this.parts("saved");
    if (!node || this.said === text) return;
    this.said = text;
    node.className = `st ${tone}`;
    node.replaceChildren(icon(name), text);
  }

  lease(view: LeaseView): void {
    const { gone, rest, hand } = scalePaths(view.share);
    const left = this.parts("lease-left");
    const text = view.mood === "over" ? "Lease over" : `${countdown(view.left)} left`;
    if (left && left.textContent !== text) left.textContent = text;
    this.parts("lease")?.classList.toggle("soon", view.mood !== "calm");
    if (this.lastScale === hand + gone) return;
    this.lastScale = hand + gone;
    const scale = this.parts("lease")?.querySelectorAll("path") ?? [];
    [gone, rest, hand].forEach((d, i) => scale[i] && set(scale[i], { d }));
  }

  /** A notice over the image that stays until it is settled; an empty text takes it away. */
  notice(tone: "warn" | "bad" | "info" | "", text: string, button?: { readonly label: string; readonly run: () => void }): void {
    const region = this.parts("notice");
    if (!region) return;
    if (text === "") return region.replaceChildren();
    const note = element("div", { class: `note ${tone}`, role: tone === "info" ? "status" : "alert" }, icon(tone === "info" ? "info" : "triangle-alert"), element("p", {}, text));
    if (button) {
      const act = element("button", { type: "button", class: "btn end" }, button.label);
      act.addEventListener("click", button.run, { once: true });
      note.append(act);
    }
    region.replaceChildren(note);
  }
}

function draftText(state: DraftState): [string, string, string] {
  switch (state.kind) {
    case "saved":
      return ["ok", "check", `Saved ${clock(state.at)}`];
    case "unsaved":
    case "saving":
      return ["", "loader-circle", "Saving"];
    case "offline":
      return state.kept ? ["warn", "triangle-alert", "No connection, kept in this browser"] : ["bad", "triangle-alert", "No connection: keep this page open"];
    case "conflict":
      return ["warn", "git-compare", "Two drafts"];
    case "refused":
      return ["bad", "octagon-x", "Not saved"];
    case "gone":
      return ["bad", "ban", "Withdrawn"];
  }
}

function clock(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
}
