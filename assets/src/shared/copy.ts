import { announce } from "./notices";
import type { Scope } from "./scope";

/** Copies what a button with data-copy holds, and says so. */
export function startCopy(scope: Scope): void {
  scope.on(document, "click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-copy]") : null;
    const text = button?.dataset["copy"];
    if (button && text !== undefined) void copy(button, text, scope);
  });
}

async function copy(button: HTMLElement, text: string, scope: Scope): Promise<void> {
  const copied = await write(text);
  announce(copied ? "Copied" : "The browser did not allow copying. Select the text instead.");
  const use = button.querySelector("use");
  const before = use?.getAttribute("href");
  if (!use || !before || button.hasAttribute("data-copied")) return;
  button.setAttribute("data-copied", "");
  use.setAttribute("href", before.replace(/#.*/, copied ? "#check" : "#x"));
  scope.after(1500, () => {
    use.setAttribute("href", before);
    button.removeAttribute("data-copied");
  });
}

/** False where the page is neither https nor on this machine: the browser keeps the clipboard shut. */
async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
