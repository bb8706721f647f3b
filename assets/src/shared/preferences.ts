import type { Scope } from "./scope";

const year = 365 * 24 * 60 * 60;

/** Keeps a choice where the server reads it before it renders the next page. */
function keep(name: string, value: string): void {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${value === "" ? 0 : year}; samesite=lax${secure}`;
}

function applyTheme(theme: string, form: HTMLFormElement): void {
  if (theme === "") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === theme));
}

/**
 * Theme and rail change at once and are kept in cookies. Without this the same
 * forms are posted, and the server sets the same cookies.
 */
export function startPreferences(scope: Scope): void {
  scope.on(document, "submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !(event.submitter instanceof HTMLButtonElement)) return;
    const { value } = event.submitter;
    switch (form.dataset["preference"]) {
      case "theme":
        keep("theme", value);
        applyTheme(value, form);
        break;
      case "rail":
        // A workbench folds the rail by itself; unfolding it there is for that page alone.
        if (!document.querySelector(".frame.bench")) keep("rail", value === "folded" ? "folded" : "");
        document.querySelector(".frame")?.classList.toggle("thin", value === "folded");
        break;
      default:
        return;
    }
    event.preventDefault();
  });
}
