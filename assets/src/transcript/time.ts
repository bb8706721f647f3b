// Time as it is written and as it lies on the screen.

/** "0:09.26", or "0:09" without digits after the point; before the utterance "−0:02.50". */
export function clock(seconds: number, digits = 2): string {
  const scale = 10 ** digits;
  const all = Math.round(Math.abs(seconds) * scale);
  const minutes = Math.floor(all / (60 * scale));
  const rest = (all - minutes * 60 * scale) / scale;
  const sign = seconds < 0 && all > 0 ? "−" : "";
  return `${sign}${minutes}:${rest.toFixed(digits).padStart(digits === 0 ? 2 : digits + 3, "0")}`;
}

/** "8.6–14.5 s" */
export function stretch(begin: number, end: number): string {
  return `${begin.toFixed(1)}–${end.toFixed(1)} s`;
}

const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** How far apart, in seconds, the written marks of an axis are so that each has at least `room` pixels. */
export function markStep(pixelsPerSecond: number, room = 70): number {
  return steps.find((s) => s * pixelsPerSecond >= room) ?? 7200;
}

/** The part of the time that is on the screen. */
export class View {
  /** Time at the left edge. */
  left: number;
  private zoomed = 0;

  constructor(
    /** All there is to see: from some seconds before the utterance to some after it. */
    readonly from: number,
    readonly to: number,
    public width: number,
    /** Pixels of a second to begin with, where all of it has no room; 0 to begin with all of it. */
    private readonly usual = 82,
  ) {
    this.left = from;
  }

  /** Pixels of a second. */
  get scale(): number {
    const fit = this.width / Math.max(0.001, this.to - this.from);
    return Math.max(fit, this.zoomed || this.usual);
  }

  get right(): number {
    return this.left + this.width / this.scale;
  }

  x(time: number): number {
    return (time - this.left) * this.scale;
  }

  time(x: number): number {
    return this.left + x / this.scale;
  }

  scrollTo(left: number): void {
    this.left = Math.min(Math.max(left, this.from), Math.max(this.from, this.to - this.width / this.scale));
  }

  /** Twice or half as many pixels for a second; the time at x stays where it is. */
  zoom(by: 1 | -1, x: number): void {
    const time = this.time(x);
    const fit = this.width / Math.max(0.001, this.to - this.from);
    this.zoomed = Math.min(1600, Math.max(fit, this.scale * (by === 1 ? 1.5 : 1 / 1.5)));
    this.scrollTo(time - x / this.scale);
  }

  /** Turns the page when the play head leaves it; true if that moved anything. */
  follow(time: number): boolean {
    const margin = Math.min(40 / this.scale, (this.right - this.left) / 4);
    if (time >= this.left && time <= this.right - margin) return false;
    const before = this.left;
    this.scrollTo(time - margin);
    return this.left !== before;
  }
}
