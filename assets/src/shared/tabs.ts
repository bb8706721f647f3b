import { island } from "./islands";

/** Brings the present tab into the middle of a row of tabs that is wider than the window. */
export function startTabs(): void {
  island(".tabs", (row) => {
    const present = row.querySelector("[aria-current]");
    if (!present) return;
    const [tab, frame] = [present.getBoundingClientRect(), row.getBoundingClientRect()];
    row.scrollLeft += tab.left + tab.width / 2 - (frame.left + frame.width / 2);
  });
}
