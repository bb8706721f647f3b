// What teams did in the time that a chart shows: the list that the page bears below it, read for the marks on its axis.

export interface Tick {
  readonly at: number; // seconds since 1970, as uPlot counts
  readonly number: number; // from 1: the mark bears it, and so does the list
  readonly intervention: boolean;
  readonly title: string;
  readonly href: string;
}

/** readTicks returns the ticks of the first list inside scope, the earliest first; none if there is no list. */
export function readTicks(scope: ParentNode): Tick[] {
  const ticks: Tick[] = [];
  for (const line of scope.querySelectorAll<HTMLElement>("[data-ticks] li[data-at]")) {
    const link = line.querySelector("a");
    const at = Number(line.dataset["at"]);
    if (link !== null && Number.isFinite(at)) {
      ticks.push({
        at,
        number: ticks.length + 1,
        intervention: line.dataset["kind"] === "intervention",
        title: link.textContent,
        href: link.href,
      });
    }
  }
  return ticks;
}
