// How long the task is still held for this person, by the server's clock.

export interface LeaseView {
  /** Milliseconds left, never below 0. */
  readonly left: number;
  /** What is left of the whole lease, 0…1. */
  readonly share: number;
  readonly mood: "calm" | "soon" | "over";
}

const soon = 2 * 60 * 1000;

export class Lease {
  private total = 1;
  private until = 0;

  /** `skew` is the server's clock minus this browser's, in milliseconds. */
  constructor(
    until: string,
    private readonly skew: number,
    now: number,
  ) {
    this.renew(until, now);
  }

  renew(until: string, now: number): void {
    this.until = Date.parse(until);
    this.total = Math.max(this.total, this.until - (now + this.skew));
  }

  /** How often to renew: four times within a lease, and once a minute at least. */
  get beat(): number {
    return Math.max(5000, Math.min(60_000, this.total / 4));
  }

  view(now: number): LeaseView {
    const left = Math.max(0, this.until - (now + this.skew));
    return { left, share: Math.min(1, left / this.total), mood: left === 0 ? "over" : left <= soon ? "soon" : "calm" };
  }

  /** When it ends, by this browser's clock. */
  get end(): Date {
    return new Date(this.until - this.skew);
  }
}

/** "27:12", or "1:05:00" from an hour on. */
export function countdown(milliseconds: number): string {
  const s = Math.ceil(milliseconds / 1000);
  const two = (v: number): string => String(v).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

const ticks = 30;

/** The scale of the time left: 30 ticks of which the passed ones are `gone`, and the hand between them. */
export function scalePaths(share: number): { gone: string; rest: string; hand: string } {
  const passed = Math.round((1 - share) * ticks);
  const tick = (i: number): string => `M${i * 4 + 0.5} ${i % 5 === 0 ? 2 : 6}V14`;
  const all = Array.from({ length: ticks }, (_, i) => tick(i));
  const at = Math.min(passed, ticks - 1) * 4 + 0.5;
  return { gone: all.slice(0, passed).join(""), rest: all.slice(passed).join(""), hand: `M${at} 0V16` };
}

/** Time in which the person was at work: gaps between signs of life, up to half a minute each. */
export class Activity {
  private last: number | null = null;
  private sum = 0;

  sign(now: number): void {
    if (this.last !== null) this.sum += Math.min(30_000, Math.max(0, now - this.last));
    this.last = now;
  }

  get milliseconds(): number {
    return Math.round(this.sum);
  }

  /** Whether there was a sign of life within the given time. */
  within(milliseconds: number, now: number): boolean {
    return this.last !== null && now - this.last <= milliseconds;
  }
}
