// The outline of a sound, and the part of it that is drawn.

export interface Outline {
  /** Seconds of the served sound. */
  readonly from: number;
  readonly to: number;
  /** Seconds of it before and after the item. */
  readonly left: number;
  readonly right: number;
  readonly seconds: number;
  /** For each channel the lowest and the highest of each point in turn, from −127 to 127. */
  readonly peaks: readonly (readonly number[])[];
}

/** The lowest and the highest of one column, and the time in the middle of it, in seconds of the item. */
export interface Column {
  readonly low: number;
  readonly high: number;
  readonly time: number;
}

// As many points as the transcript workbench asks for, within what the server draws.
const pointsPerSecond = 60;
const fewestPoints = 1200;
const mostPoints = 4000;

/** How many points to ask for of so many seconds. */
export function pointsFor(seconds: number): number {
  return Math.max(fewestPoints, Math.min(mostPoints, Math.round(seconds * pointsPerSecond)));
}

/** The columns of a channel from one time of the item to another. A column that is narrower than a point has what the point has. */
export function columns(outline: Outline, channel: readonly number[], left: number, right: number, count: number): Column[] {
  const points = channel.length >> 1;
  const perSecond = points / (outline.to - outline.from);
  const made: Column[] = [];
  for (let i = 0; i < count; i++) {
    const [begin, end] = [i, i + 1].map((n) => left + ((right - left) * n) / count) as [number, number];
    const first = Math.max(0, Math.floor((begin + outline.left - outline.from) * perSecond));
    const last = Math.min(points, Math.max(first + 1, Math.floor((end + outline.left - outline.from) * perSecond)));
    let [low, high] = [0, 0];
    for (let p = first; p < last; p++) {
      low = Math.min(low, channel[2 * p] ?? 0);
      high = Math.max(high, channel[2 * p + 1] ?? 0);
    }
    made.push({ low, high, time: (begin + end) / 2 });
  }
  return made;
}

/** How far a channel goes from its middle: what is hardly to be heard stays small. */
export function loudest(channel: readonly number[]): number {
  return channel.reduce((most, v) => Math.max(most, Math.abs(v)), 12);
}
