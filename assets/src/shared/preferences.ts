import { toast } from "./notices";
import type { Scope } from "./scope";

/** Sends a choice to the server, which keeps it in a cookie and renders the next page by it. */
async function keep(form: HTMLFormElement, name: string, value: string): Promise<void> {
  try {
    await fetch(form.action, { method: "POST", body: new URLSearchParams({ [name]: value }), redirect: "manual", keepalive: true });
  } catch {
    toast("warn", "The server cannot be reached, so this choice holds for this page only.");
  }
}

function applyTheme(theme: string, form: HTMLFormElement): void {
  if (theme === "") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === theme));
}

/**
 * Theme and rail change at once, without leaving the page. Without script the
 * same forms are posted.
 */
export function startPreferences(scope: Scope): void {
  scope.on(document, "submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !(event.submitter instanceof HTMLButtonElement)) return;
    const { value } = event.submitter;
    switch (form.dataset["preference"]) {
      case "theme":
        void keep(form, "theme", value);
        applyTheme(value, form);
        break;
      case "rail":
        // A workbench folds the rail by itself; unfolding it there is for that page alone.
        if (!document.querySelector(".frame.bench")) void keep(form, "rail", value);
        document.querySelector(".frame")?.classList.toggle("thin", value === "folded");
        break;
      default:
        return;
    }
    event.preventDefault();
  });
}
