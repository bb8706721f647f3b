import type { Scope } from "./scope";

/** Opens and closes dialogs by commandfor where the browser does not know it yet. */
export function startDialogs(scope: Scope): void {
  if ("commandForElement" in HTMLButtonElement.prototype) return;
  scope.on(document, "click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[commandfor]") : null;
    const dialog = document.getElementById(button?.getAttribute("commandfor") ?? "");
    if (!(dialog instanceof HTMLDialogElement)) return;
    if (button?.getAttribute("command") === "show-modal") dialog.showModal();
    else dialog.close();
  });
}

/** Shows a dialog made by a script, and removes it from the page when it closes. */
export function showOnce(dialog: HTMLDialogElement, scope: Scope): void {
  scope.on(dialog, "close", () => {
    dialog.remove();
    scope.dispose();
  });
  document.body.append(dialog);
  dialog.showModal();
}
