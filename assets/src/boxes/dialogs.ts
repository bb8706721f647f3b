import { showOnce } from "../shared/dialogs";
import { element } from "../shared/dom";
import { Scope } from "../shared/scope";
import type { SkipReason } from "./contract";

export type SkipChoice = readonly [reason: SkipReason, label: string, help: string];

/** Why an image is put aside. */
export const imageReasons: readonly SkipChoice[] = [
  ["cannot_decide", "Cannot decide", "Goes to a reviewer, with your boxes."],
  ["broken_image", "The image is broken", "Black, cut off, or not of this strip."],
  ["not_mine", "Not for me", "Goes back to the queue for somebody else."],
  ["other", "Something else", "Say what, below."],
];

/** Asks why the task is put aside; null where it is not. */
export function askSkip(reasons: readonly SkipChoice[]): Promise<{ reason: SkipReason; note: string } | null> {
  const choices = reasons.map(([value, label, help], i) =>
    element(
      "label",
      { class: "choice" },
      element("input", { type: "radio", name: "reason", value, ...(i === 0 ? { checked: "" } : {}) }),
      element("span", {}, element("b", {}, label), element("small", {}, ` ${help}`)),
    ),
  );
  const note = element("textarea", { class: "field", name: "note", rows: "3", maxlength: "500" });
  const form = element(
    "form",
    { method: "dialog", class: "in" },
    element("fieldset", { class: "ask" }, element("legend", {}, "Why?"), ...choices),
    element("label", { class: "ask" }, element("span", {}, "Note ", element("span", { class: "opt" }, "(optional)")), note),
    element("footer", {}, element("button", { type: "button", class: "btn", "data-back": "" }, "Back"), element("button", { class: "btn main-act", value: "yes" }, "Put aside, show the next")),
  );
  return ask("Put this task aside", form).then((answer) => {
    if (answer !== "yes") return null;
    const data = new FormData(form);
    const reason = reasons.find(([value]) => value === data.get("reason"))?.[0] ?? "cannot_decide";
    return { reason, note: String(data.get("note") ?? "").trim() };
  });
}

/** Two drafts of one task, each in a few words: which one goes on? Null where it is left open. */
export function askConflict(mine: string, theirs: string): Promise<"mine" | "theirs" | null> {
  const form = element(
    "form",
    { method: "dialog", class: "in" },
    element("p", {}, "The draft of this task was changed in another window, or on another machine, since you opened it here. Nothing was overwritten."),
    element("p", { class: "quiet" }, `Here: ${mine}. There: ${theirs}. If you take theirs, Undo brings yours back.`),
    element(
      "footer",
      {},
      element("button", { type: "button", class: "btn", "data-back": "" }, "Look first"),
      element("button", { class: "btn", value: "theirs" }, "Take theirs"),
      element("button", { class: "btn main-act", value: "mine" }, "Keep mine"),
    ),
  );
  return ask("Two drafts of this task", form).then((v) => (v === "mine" || v === "theirs" ? v : null));
}

/** Shows a form in a dialog, and returns the value of the button that closed it; [data-back] closes it with "". */
export function ask(title: string, form: HTMLFormElement): Promise<string> {
  const scope = new Scope();
  const dialog = element("dialog", { "aria-labelledby": "ask-title" }, element("header", {}, element("h2", { id: "ask-title" }, title)), form);
  return new Promise((resolve) => {
    scope.on(dialog, "click", (e) => {
      if (e.target instanceof Element && e.target.closest("[data-back]")) dialog.close("");
    });
    scope.on(dialog, "close", () => resolve(dialog.returnValue));
    showOnce(dialog, scope);
  });
}
