// What a chart draws, read from the table that the page bears. Without a script the table is there instead.

/** One measurement. low and high are its interval, null for none. */
export interface Point {
  readonly x: number; // seconds since 1970, or a share from 0 to 1
  readonly y: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly series: number;
  readonly current: boolean; // that which the page is about
  readonly words: string; // its row, for who points at it
  readonly href: string;
}

/** The x values of all series, in ascending order, with each series' points beside them. */
export interface Aligned {
  readonly xs: number[];
  readonly series: (Point | null)[][];
}

function number(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/** readPoints returns the points of a table; a row without a place or a value is none. */
export function readPoints(table: ParentNode): Point[] {
  const points: Point[] = [];
  for (const row of table.querySelectorAll<HTMLTableRowElement>("tbody tr[data-series]")) {
    const time = row.querySelector("time")?.dateTime;
    const x = time === undefined ? number(row.dataset["x"]) : number(String(Date.parse(time) / 1000));
    const y = number(row.dataset["value"]);
    if (x === null || y === null) continue;
    points.push({
      x,
      y,
      low: number(row.dataset["low"]),
      high: number(row.dataset["high"]),
      series: number(row.dataset["series"]) ?? 0,
      current: row.getAttribute("aria-current") !== null,
      words: [...row.cells].map((cell) => cell.textContent.trim()).join(", "),
      href: row.querySelector("a")?.href ?? "",
    });
  }
  return points;
}

/** align puts points of several series on one axis. Of two at the same place in one series the later in the table counts. */
export function align(points: readonly Point[]): Aligned {
  const xs = [...new Set(points.map((p) => p.x))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, i) => [x, i]));
  const count = points.reduce((most, p) => Math.max(most, p.series + 1), 0);
  const series = Array.from({ length: count }, () => xs.map((): Point | null => null));
  for (const point of points) {
    const line = series[point.series];
    const at = place.get(point.x);
    if (line !== undefined && at !== undefined) line[at] = point;
  }
  return { xs, series };
}

/** reach is the range of the y axis: all points with their intervals, and a tenth of it above and below, at least a hundredth. */
export function reach(points: readonly Point[]): [number, number] {
  const values = points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max((high - low) * 0.1, 0.005);
  return [low - room, high + room];
}
