// What models heard, for a reviewer who asks.
import { element } from "../shared/dom";
import { emit } from "../shared/events";
import { announce } from "../shared/notices";
import { post } from "../review/decisions";
import { part } from "./player";

/** Asks what models heard, which the server keeps, and shows it once. */
export async function showModels(root: HTMLElement, address: string): Promise<void> {
  const place = part(root, "models");
  if (address === "" || !place.hidden) return;
  const answer = await post(address, {}).catch(() => null);
  if (!answer?.ok) return emit(root, "notice", { tone: "bad", text: "What models heard could not be read. Try again." });
  const heard = (await answer.json()) as { model: string; text: string }[];
  place.replaceChildren(
    element("h3", {}, "What models heard"),
    ...heard.map((h) => element("p", {}, element("small", { class: "faint" }, h.model), element("span", {}, h.text === "" ? "nothing" : h.text))),
  );
  place.hidden = false;
  root.querySelector('[data-part="ask-models"]')?.setAttribute("hidden", "");
  announce("What models heard is shown, and that you saw it is kept");
}
