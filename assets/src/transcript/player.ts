// The sound: where it is, how fast, and what of it is played over and over. Times are seconds from the beginning of the
// utterance; the sound itself begins before it.
import type { Scope } from "../shared/scope";
import type { Span } from "./script";

export const speeds = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2] as const;

/** How far before the place where it was stopped it goes on, in seconds: a word is cut in two by stopping. */
export const again = 1;

/** What became different: the play head, or whether and how it plays. */
export type Told = (what: "time" | "state") => void;

export class Player {
  private loopSpan: Span | null = null;
  private stopAt: number | null = null;
  private stopped = false; // by hand, and the head is still there
  private cancel = (): void => {};

  constructor(
    readonly audio: HTMLAudioElement,
    private lead: number,
    private readonly seconds: number,
    private readonly scope: Scope,
    private readonly told: Told,
  ) {
    audio.preservesPitch = true;
    if (audio.currentTime === 0 && lead > 0) audio.currentTime = lead;
    for (const type of ["play", "pause", "ended", "ratechange"] as const) scope.on(audio, type, () => this.turned());
    for (const type of ["timeupdate", "seeked", "loadedmetadata"] as const) scope.on(audio, type, () => this.tick());
    scope.add(() => audio.pause());
  }

  /** The seconds of sound before the utterance, once they are known to the sample. */
  begins(lead: number): void {
    const time = this.time;
    this.lead = lead;
    if (this.audio.paused) this.seek(time);
  }

  get time(): number {
    return this.audio.currentTime - this.lead;
  }

  get playing(): boolean {
    return !this.audio.paused;
  }

  get speed(): number {
    return this.audio.playbackRate;
  }

  get loop(): Span | null {
    return this.loopSpan;
  }

  private turned(): void {
    this.cancel();
    if (this.playing) this.frame();
    else this.stopAt = null;
    this.told("state");
    this.told("time");
  }

  private frame(): void {
    this.cancel = this.scope.frame(() => {
      this.tick();
      if (this.playing) this.frame();
    });
  }

  private tick(): void {
    const { loopSpan, stopAt, time } = this;
    if (this.playing && loopSpan && time >= loopSpan.end) this.audio.currentTime = this.lead + loopSpan.begin;
    else if (this.playing && stopAt !== null && time >= stopAt) {
      this.stopAt = null;
      this.audio.pause();
    }
    this.told("time");
  }

  /** Plays from where the head is; from its end, or a loop's outside, from the beginning. */
  play(): void {
    const { loopSpan, time } = this;
    if (loopSpan && (time < loopSpan.begin || time >= loopSpan.end)) this.seek(loopSpan.begin);
    else if (this.audio.ended || Math.abs(time - this.seconds) < 0.02) this.seek(0);
    // What follows the utterance is played only for whoever goes there.
    this.stopped = false;
    this.stopAt = !loopSpan && this.time < this.seconds - 0.02 ? this.seconds : null;
    void this.audio.play().catch(() => this.told("state"));
  }

  /** Stops, or goes on a moment before where it was stopped, unless the head was moved. */
  toggle(): void {
    if (this.playing) {
      this.stopped = true;
      return this.audio.pause();
    }
    if (this.stopped && !this.loopSpan && this.time > 0 && !this.audio.ended) this.seek(Math.max(0, this.time - again));
    this.play();
  }

  pause(): void {
    this.audio.pause();
  }

  seek(time: number): void {
    this.audio.currentTime = Math.max(0, time + this.lead);
    this.stopped = false;
    if (this.stopAt !== null && time >= this.stopAt) this.stopAt = null;
    this.told("time");
  }

  /** Moves the play head by so many seconds. */
  skip(by: number): void {
    this.seek(Math.max(-this.lead, this.time + by));
  }

  /** Plays a stretch once, with a breath before and after it. */
  hear(span: Span, breath = 0.08): void {
    this.loopSpan = null;
    this.seek(Math.max(-this.lead, span.begin - breath));
    this.stopAt = span.end + breath;
    void this.audio.play().catch(() => this.told("state"));
  }

  /** Plays a stretch over and over; null ends that. */
  repeat(span: Span | null): void {
    this.loopSpan = span;
    this.stopAt = null;
    if (span && !(this.time >= span.begin && this.time < span.end)) this.seek(span.begin);
    if (span && !this.playing) this.play();
    this.told("state");
  }

  /** The next slower or faster speed. */
  pace(by: 1 | -1): void {
    const now = this.speed;
    const next = by === 1 ? speeds.find((s) => s > now + 0.001) : speeds.findLast((s) => s < now - 0.001);
    if (next !== undefined) this.setSpeed(next);
  }

  setSpeed(speed: number): void {
    this.audio.defaultPlaybackRate = speed;
    this.audio.playbackRate = speed;
  }
}
