import { element, icon } from "./dom";
import { listen, type Tone } from "./events";
import { Scope } from "./scope";

const icons: Readonly<Record<Tone, string>> = { "": "info", ok: "circle-check", warn: "triangle-alert", bad: "octagon-x", info: "info" };

/** How long a notice that is no fault stays, in milliseconds. */
const stay = 8000;

/** Tells screen readers what happened, without showing it. */
export function announce(text: string): void {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

/** Shows a notice over the page. A fault stays until it is closed. */
export function toast(tone: Tone, text: string): void {
  const region = document.getElementById("toasts");
  if (!region) return;
  const scope = new Scope();
  const close = element("button", { type: "button", class: "btn bare icon end", "aria-label": "Dismiss" }, icon("x"));
  const note = element("div", { class: `note ${tone}` }, icon(icons[tone]), element("p", {}, text), close);
  const end = () => {
    scope.dispose();
    note.remove();
  };
  scope.on(close, "click", end);
  if (tone !== "bad") scope.after(stay, end);
  region.append(note);
}

const faults: Readonly<Record<number, string>> = {
  401: "You are signed out. Sign in again in another tab, then repeat this.",
  403: "Your role does not allow this. Ask an admin of the project.",
  404: "This is no longer here. Reload the page to see what is.",
  429: "Too many requests. Wait a minute, then try again.",
};

/** What to tell when a request was answered with a status that is a fault. */
export function faultText(status: number): string {
  return faults[status] ?? "The server could not do this. Nothing was changed; try again, and tell an admin if it goes on.";
}

/** Shows what the server and the connection have to say. */
export function startNotices(scope: Scope): void {
  listen(scope, document, "notice", ({ tone, text }) => toast(tone, text));
  scope.on(document, "htmx:response:error", ({ detail: { ctx } }) => {
    const status = ctx.response?.status ?? 0;
    if (status !== 409 && status !== 422) toast("bad", faultText(status));
  });
  scope.on(document, "htmx:error", () => toast("bad", "The server cannot be reached. Check the connection, then try again."));
}
