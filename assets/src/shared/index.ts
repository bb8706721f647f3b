import "htmx.org";

import { startCopy } from "./copy";
import { startDialogs } from "./dialogs";
import { startDropzones } from "./drop";
import { sweepIslands } from "./islands";
import { bindKeys, type KeyRow } from "./keys";
import { startNotices } from "./notices";
import { openPalette } from "./palette";
import { startPreferences } from "./preferences";
import { Scope } from "./scope";
import { openKeysSheet } from "./sheet";
import { startTabs } from "./tabs";

/** Lives as long as the page. */
const page = new Scope();

startNotices(page);
startDialogs(page);
startPreferences(page);
startCopy(page);
startDropzones();
startTabs();

/** The rail says which places there are, and which letter leads to each. */
const places: KeyRow[] = [...document.querySelectorAll<HTMLAnchorElement>(".rail a[data-go]")].map((link) => ({
  chord: `g ${link.dataset["go"] ?? ""}`,
  does: link.querySelector(".t")?.textContent ?? link.href,
  run: () => link.click(),
}));

const search = document.querySelector<HTMLInputElement>("form[data-search] input");
const rows: KeyRow[] = [
  { chord: "Ctrl K", does: "Command palette", run: openPalette },
  { chord: "?", does: "This sheet", run: openKeysSheet },
];
if (search) rows.unshift({ chord: "/", does: "Search", run: () => search.focus() });

/** What a page has a key for says so itself: a field is gone to, anything else is pressed. */
const own: KeyRow[] = [...document.querySelectorAll<HTMLElement>("[data-key][data-does]")].map((part) => ({
  chord: part.dataset["key"] ?? "",
  does: part.dataset["does"] ?? "",
  run: () => (part.matches("input, select, textarea") ? part.focus() : part.click()),
}));

if (document.querySelector(".rail")) {
  if (own.length > 0) bindKeys(page, { title: "This page", rows: own });
  bindKeys(page, { title: "Everywhere", rows });
  if (places.length > 0) bindKeys(page, { title: "Go to", rows: places });
}

page.on(document, "click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-keys-sheet]")) openKeysSheet();
});
page.on(document, "htmx:after:swap", sweepIslands);
