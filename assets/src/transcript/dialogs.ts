import { ask, type SkipChoice } from "../boxes/dialogs";
import { element } from "../shared/dom";

/** Why an utterance is put aside. */
export const soundReasons: readonly SkipChoice[] = [
  ["cannot_decide", "Cannot decide", "Goes to a reviewer, with what you wrote."],
  ["broken_sound", "The sound is broken", "Nothing to be heard, cut off, or not of this project."],
  ["not_mine", "Not for me", "Goes back to the queue for somebody else, such as another language."],
  ["other", "Something else", "Say what, below."],
];

/** How much more can be heard around an utterance, in seconds on either side. */
const widths = [10, 30, 60] as const;

/** Asks how much more is to be heard, and why; null where nothing is. */
export function askWider(): Promise<{ seconds: number; reason: string } | null> {
  const choices = widths.map((seconds, i) =>
    element("label", { class: "choice" }, element("input", { type: "radio", name: "seconds", value: String(seconds), ...(i === 0 ? { checked: "" } : {}) }), element("span", {}, `${seconds} seconds before and after`)),
  );
  const reason = element("input", { class: "field", name: "reason", required: "", maxlength: "500", autocomplete: "off" });
  const form = element(
    "form",
    { method: "dialog", class: "in" },
    element("p", { class: "quiet" }, "What lies around an utterance is somebody's speech too. That you heard it, and why, is written down."),
    element("fieldset", { class: "ask" }, element("legend", {}, "How much?"), ...choices),
    element("label", { class: "ask" }, element("span", {}, "Why?"), reason),
    element("footer", {}, element("button", { type: "button", class: "btn", "data-back": "" }, "Back"), element("button", { class: "btn main-act", value: "yes" }, "Hear more")),
  );
  return ask("Hear more around it", form).then((answer) => {
    const data = new FormData(form);
    const said = String(data.get("reason") ?? "").trim();
    return answer === "yes" && said !== "" ? { seconds: Number(data.get("seconds")), reason: said } : null;
  });
}
