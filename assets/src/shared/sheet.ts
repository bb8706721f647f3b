import { showOnce } from "./dialogs";
import { element, icon } from "./dom";
import { keyTables, type KeyTable } from "./keys";
import { Scope } from "./scope";

/** Opens the keys sheet, made from the very tables that bind the keys. */
export function openKeysSheet(): void {
  if (document.querySelector("dialog.sheet")) return;
  const scope = new Scope();
  const close = element("button", { type: "button", class: "btn bare icon", "aria-label": "Close" }, icon("x"));
  const dialog = element(
    "dialog",
    { class: "sheet wide", closedby: "any", "aria-labelledby": "sheet-title" },
    element("header", {}, element("h2", { id: "sheet-title" }, "Keys"), close),
    element("div", { class: "in" }, ...keyTables().map(section)),
  );
  scope.on(close, "click", () => dialog.close());
  showOnce(dialog, scope);
}

function section(table: KeyTable): HTMLElement {
  const rows = table.rows.flatMap((row) => [
    element("dt", {}, row.does),
    element("dd", {}, ...row.chord.split(/,? /).map((key) => element("kbd", {}, key))),
  ]);
  return element("section", {}, element("h3", {}, table.title), element("dl", { class: "keys" }, ...rows));
}
