// The sound: it plays, seeks, and stops where it was asked to.
import type { Scope } from "../shared/scope";
import { type Outline, pointsFor } from "./outline";
import { clock, type State } from "./state";
import { Wave } from "./wave";

const speeds = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2];
/** How much is heard before and after a place. */
const lead = 0.3;

export class Player {
  private readonly audio: HTMLAudioElement;
  readonly wave: Wave;
  private until: number | null = null;
  private left: number;
  private right: number;
  /** Whether somebody put the play head where it is. */
  placed = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
    private readonly state: State,
    moved: () => void,
  ) {
    this.audio = part(root, "audio") as HTMLAudioElement;
    [this.left, this.right] = [state.left, state.right];
    this.wave = new Wave(root, part(root, "wave"), scope, state.seconds, state.left, state.right, { seek: (time) => this.seek(time), moved });
    const { audio } = this;
    for (const type of ["play", "pause", "ended"]) scope.on(audio, type, () => this.shown());
    scope.on(audio, "loadedmetadata", () => this.tick());
    scope.on(audio, "error", () => this.mute("The sound cannot be played. Load the page again; if that does not help, the recording may be gone."));
    scope.add(() => audio.pause());
    this.seek(0);
    this.placed = false;
    this.shown();
    void this.load();
  }

  /** Seconds of the item. */
  get time(): number {
    return this.audio.currentTime - this.left;
  }

  get length(): number {
    return this.left + this.state.seconds + this.right;
  }

  private async load(): Promise<void> {
    try {
      const answer = await fetch(`${this.state.peaks}?width=${pointsFor(this.length)}`, { signal: this.scope.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const outline = (await answer.json()) as Outline;
      [this.left, this.right] = [outline.left, outline.right];
      this.wave.show(outline);
      this.tick();
    } catch {
      if (!this.scope.disposed) this.mute("The waveform cannot be drawn: the recording is not ready, or is gone.");
    }
  }

  private mute(text: string): void {
    const note = part(this.root, "mute");
    note.textContent = text;
    note.hidden = false;
  }

  // ---- playing

  seek(time: number): void {
    this.until = null;
    this.audio.currentTime = Math.min(Math.max(0, time + this.left), this.length);
    this.placed = true;
    this.tick();
  }

  toggle(): void {
    this.until = null;
    if (!this.audio.paused) return this.audio.pause();
    if (this.time >= this.state.seconds + this.right - 0.02) this.seek(0);
    this.start();
  }

  /** Plays a place with a little before and after it. */
  playSpan(begin: number, end: number): void {
    this.audio.currentTime = Math.max(0, begin - lead + this.left);
    this.until = Math.max(begin + 0.2, end) + lead;
    this.start();
  }

  private start(): void {
    void this.audio.play().catch(() => undefined);
    const step = (): void => {
      this.tick();
      if (this.until !== null && this.time >= this.until) {
        this.until = null;
        this.audio.pause();
      }
      if (!this.audio.paused) this.scope.frame(step);
    };
    this.scope.frame(step);
  }

  back(): void {
    this.audio.currentTime = Math.max(0, this.audio.currentTime - 2);
    this.tick();
  }

  speed(by: 1 | -1 | 0): void {
    const at = speeds.indexOf(this.audio.playbackRate);
    this.audio.playbackRate = by === 0 ? 1 : (speeds[Math.min(speeds.length - 1, Math.max(0, at + by))] ?? 1);
    part(this.root, "speed").textContent = `${this.audio.playbackRate} ×`;
  }

  private shown(): void {
    const button = part(this.root, "play");
    const word = button.querySelector(".w");
    if (word) word.textContent = this.audio.paused ? "Play" : "Stop";
    button.setAttribute("aria-pressed", String(!this.audio.paused));
    this.tick();
  }

  private tick(): void {
    this.wave.at(this.time, !this.audio.paused);
    part(this.root, "clock").textContent = `${clock(Math.max(0, this.time))} / ${clock(this.state.seconds)}`;
  }
}

export function part(root: ParentNode, name: string): HTMLElement {
  const found = root.querySelector<HTMLElement>(`[data-part="${name}"]`);
  if (!found) throw new Error(`the page has no ${name}`);
  return found;
}
