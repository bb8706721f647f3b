// What teams did in the time that a chart shows: the list that the page bears below it, read for the marks on its axis.

/** What was done on one day. */
export interface Tick {
  readonly at: number; // seconds since 1970, as uPlot counts
  readonly number: number; // from 1: the mark bears it, and so does the list
  readonly intervention: boolean;
}

/** A mark on the axis, and the numbers that it stands for: they would cover each other if each had its own. */
export interface Mark {
  readonly place: number; // pixels
  readonly label: string;
  readonly ticks: readonly Tick[];
}

/** marksOf puts ticks on an axis, those of less than room in between under one label. */
export function marksOf(ticks: readonly Tick[], place: (at: number) => number, room: number): Mark[] {
  const groups: { first: number; ticks: Tick[] }[] = [];
  for (const tick of ticks) {
    const group = groups.at(-1);
    const x = place(tick.at);
    if (group !== undefined && x - place(group.ticks.at(-1)!.at) < room) group.ticks.push(tick);
    else groups.push({ first: x, ticks: [tick] });
  }
  return groups.map(({ first, ticks: of }) => {
    const last = of.at(-1)!;
    return { place: (first + place(last.at)) / 2, label: of.length > 1 ? `${of[0]!.number}–${last.number}` : String(last.number), ticks: of };
  });
}

/** readTicks returns the ticks of the lists inside scope, the earliest first; none if there is no list. */
export function readTicks(scope: ParentNode): Tick[] {
  const ticks: Tick[] = [];
  for (const line of scope.querySelectorAll<HTMLElement>("[data-ticks] li[data-at]")) {
    const at = Number(line.dataset["at"]);
    if (Number.isFinite(at)) ticks.push({ at, number: ticks.length + 1, intervention: line.dataset["kind"] === "intervention" });
  }
  return ticks;
}
